"""What the runbook, and messages to people, say of codes that the table of verdicts does not say all about.

Must not live here: anything that follows from a table.
"""

from __future__ import annotations

from shp_core.codes import Code

_SPOOLED = "Nobody decides while the ledger is away: verdicts are kept under `SHP_HOME` and entered when it is back."

PLATFORM: dict[Code, str] = {
    Code.SINK_GAP: "It fills exactly the missing partitions, as one backfill below live data, and reads them again afterwards. "
    "People are told at once.",
    Code.LEDGER_UNREACHABLE: _SPOOLED,
    Code.LEDGER_REFUSED: _SPOOLED,
    Code.PARTITION_BUSY: "It ends this run and leaves the partition alone: the other worker answers for it.",
    Code.SUPERSEDED: "It ends this run; the newer one stands.",
    Code.SERVICE_FAILED: "The supervisor starts it again, with pauses that grow.",
    Code.PLATFORM_STRAINED: "It goes on as well as it can, and tells people once; the incident closes when it is over.",
    Code.LATE: "It tells people once for the feed, and takes the file whenever it comes.",
    Code.UNUSUALLY_LATE: "It tells people once, before the due time.",
    Code.STILL_HELD: "It tells people once.",
    Code.HEALED_OFTEN: "It goes on healing it each time, and tells people once.",
}
"""What the platform does, where no verdict on a run says it."""

_TAKE_UP = (
    "`shp quarantine show FEED PARTITION` tells what would be taken up, `shp feeds accept FEED PARTITION` takes it up. Or tell the sender."
)

PERSON: dict[Code, str] = {
    Code.SHEET_MISSING: _TAKE_UP,
    Code.HEADER_MISSING: _TAKE_UP,
    Code.COLUMN_MISSING: _TAKE_UP,
    Code.COLUMN_UNKNOWN: _TAKE_UP,
    Code.COLUMN_RETYPED: _TAKE_UP,
    Code.LATE: "Ask the sender. If the file will never come: `shp waive FEED PARTITION --why REASON`.",
    Code.UNUSUALLY_LATE: "Nothing yet; there is time to ask the sender.",
    Code.SOURCE_UNREACHABLE: "Bring the place back that `shp status` names, or correct `source.uri` in the feed file. A feed may name "
    "`fallbacks`.",
    Code.SOURCE_REFUSED: "Correct the credentials of the source (`SHP_SOURCE_…`), or give the reader its rights there; the message "
    "says what it refused.",
    Code.TABLE_MISMATCH: "`shp feeds migrate FEED` prints what would have to change; or take the change of the feed file back, or give "
    "the feed another table.",
    Code.READER_DISAGREES: "`python -m shp_core.reading.scan.build` compiles the fast reader anew; then ingest the file again. If it is "
    "refused again, report it, with the row that the message names: it is a fault of the platform.",
    Code.SINK_UNREACHABLE: "Bring the system back that `shp status` names.",
    Code.SINK_REFUSED: "Give the system that `shp status` names the room or the rights it lacks.",
    Code.SINK_DISAGREES: "Find out who else writes into that table, or changes rows on their way (triggers, rules); then "
    "`shp quarantine release FEED PARTITION`.",
    Code.SINKS_DIFFER: "Nothing, if it happens once. If it comes back, somebody changes rows or files in a sink by hand: find out who.",
    Code.BREAKER_OPEN: "`shp status` names the system, why it is not asked, and when it is asked again. Bring it back.",
    Code.ARTEFACT_DAMAGED: "Nothing, if it happens once; else look at the disk under `SHP_STORE`.",
    Code.TRANSIENT: "Nothing, if it heals. If it comes back every day, look at that system's own log.",
    Code.PARTITION_BUSY: "Nothing.",
    Code.INTERRUPTED: "Nothing.",
    Code.TERMINATED: "`shp quarantine release FEED PARTITION` when it is to run again.",
    Code.WORKER_LOST: "Look for the reason in the kernel's log (out of memory?). A partition that is held runs again with "
    "`shp quarantine release FEED PARTITION`.",
    Code.SERVICE_FAILED: "`shp doctor` names it and its log.",
    Code.PLATFORM_STRAINED: "Disk or memory: make room (`shp retention --dry-run` shows what may go). Connections: raise "
    "`max_connections`, or find who holds them. A queue or a run that stands: look at the run in the UI, and terminate it. "
    "A sensor: its ticks in the UI say why it fails, `shp logs daemon` what the daemon does.",
    Code.CODE_BUG: "Report it with `shp history FEED PARTITION --json` and the run's log. After an upgrade: `shp quarantine release FEED "
    "PARTITION`.",
    Code.STILL_HELD: "`shp partitions FEED` says why each is held; mend the cause, waive what will never come, release the rest.",
    Code.HEALED_OFTEN: "`shp history FEED PARTITION` shows when it came; look for what is behind it in that system's own log.",
    Code.FEED_INVALID: "`shp feeds check`, until it is silent.",
    Code.FEED_UNKNOWN: "`shp feeds check` lists the feeds that there are.",
    Code.SETTINGS_INVALID: "`shp doctor` says which; correct shp.yaml, `.env` or the variable.",
    Code.USAGE: "`shp COMMAND --help` shows examples.",
}
"""What a person does, where the sentence for the terminal is not all."""
