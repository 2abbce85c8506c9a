"""The text of the page docs/healing.md, round its tables.

Must not live here: the tables and the numbers (`page`); a sentence that no table and no test backs.
"""

from __future__ import annotations

HEAD = """\
<!-- Written by `python -m shp_ops.pages` from shp_core/healing/page.py; edits here are lost. -->
# What happens when something fails

A failure is *evidence* (an SQLSTATE, an errno, an exit status). `shp_core/healing/classify.py` gives it a stable
[code](codes.md), the code has a *fault kind*, and the kind decides where the partition waits. That is the only path:
Dagster's step retries, run retries and automation are off. What is decided stands in the ledger with each attempt (`shp
history`), and a started platform acts on it by itself. What readers of the tables see does not change: the last
good publication of the partition stays until a new one replaces it in one transaction.

A failure of one partition never touches another partition, and never another feed.

## By fault kind
"""

AFTER_KINDS = """\

A new arrival (the mended file under the same name, or the same file touched) arms any partition, and so does a person
([by hand](#by-hand)). A file without a place, or one of two for a day, is taken up by itself when that is settled.

A run that finds the partition in another worker's hands (`{busy}`), or finds that a newer arrival was published
meanwhile (`{superseded}`), ends red and changes no state: the other worker answers for the partition.

### Within a call

A call of the warehouse or the store that fails in passing is made again at once within the run: up to {tries} times in
{seconds:g} s, after pauses of up to {first:g} s, then twice as long each time, up to {cap:g} s. Each pause is drawn
anywhere between nothing and its longest, so that workers do not come back in step. Nothing else is tried again within a run.
That is the policy `standard`; `calls: patient` (up to {patient:g} s) or `calls: none` choose another one, in a feed file,
or for all feeds in `shp.yaml` and its profiles.

### Re-drives

A re-drive is a run that the platform asks for because a verdict says so. It starts at the step that failed if what came
before is whole. Its due time stands in the ledger (`next_attempt_at`): up to {pause:g} s after the first failure, then up to
{factor:g} times as long each time, an hour at most, drawn with full jitter. One cause may cost one partition {budget}
re-drives in 24 hours; then it is `{exhausted}`, people are told once, and it is tried again once a day. The sensor
`redrives` asks for those that are due, oldest arrival first in each feed, after new arrivals, and keeps at most {runs} of a
feed queued or under way. A new arrival, or a person's release, begins a new count.

### Breakers

A breaker stands before the warehouse and before the store; where a refusal is about one feed's tables (missing rights),
before that feed's place in the warehouse only. It opens at once when a system is away or refuses, and after {row} failures
in passing in a row, each after the tries within its call. While it is open nothing is asked of the system: runs keep and
validate what arrives, and partitions are `{parked}` before they call (`{open}`). It becomes half-open by itself, after
{probe_first:g} s, then twice as long each time, up to {probe_cap:g} s. Then the sensor `recovery` makes one small call; if the
system answers, one parked partition is run, alone: the probe. When its publication stands the breaker closes, and the
others follow, oldest first, never all at once. A person's `shp ingest` makes the next probe due.

Breakers are rows of `shp.breakers`, shared by all processes and changed with compare-and-set; `shp status` shows them.
The ledger has no breaker: where it is away, nobody decides. Verdicts are kept below `SHP_HOME/spool` meanwhile and
entered when it is back.

### Incidents

An incident is the one thing that people are told about a cause, however many partitions it holds: `shp incidents`. It
opens with the first partition and closes by proof: each of its partitions is published, and its rows are read again from
the sink and agree with what the ledger recorded. A member that another cause holds now, or that was waived, leaves it.

Once a day the sensor `inventory` says in its tick what is still held and for how long. What is held for more than
{silent} hours without an incident (a file that went away, a run that a person stopped) becomes a member of the incident
`inventory`; a cause that at least {often} runs met within {within} days becomes the incident `recurring/…`, although each of
them healed: healing must not hide what is broken. That one closes when no run met it for a day.

### Held until something changes

What a contract refused is judged again by itself when the feed file changes its contract or the converter version is
raised, and a file that could not be read safely when the limits in `shp.yaml` change: the sensor `redrives` compares them
with those that refused it. A running platform looks at feed files, mart files and `shp.yaml` every two seconds; what is
sound is in force within half a minute, a broken file leaves its last good version in force and turns the check
`sound` of `feeds/<feed>` red. What is published already stays as it is and is flagged `stale`.

A sheet that changed its shape (`schema_drift`) is held with a proposal: `shp quarantine show FEED PARTITION` tells what
changed, `shp feeds accept FEED PARTITION` writes it into the feed file, and with that the partition is judged again.

### What does not come

A feed that says what it expects ([feeds.md](feeds.md#partitions-files-and-periods)) has a partition in the ledger for each
period from its first moment on: `expected`, with its `due_at`. The sensor `lateness` makes it `late` when the due time has
passed and no file was seen; each partition by its own due time, so the file of another day changes nothing, and a feed that
never delivered is late, not unknown. A file that lies in the drop folder and was not looked at yet, as after a stop, is not
late. People are told once for each feed (`late/<feed>`, a warning), and again only when all of it has come; in Dagster the
check `on_time` of `raw` is red for the partition. Where five files or more have come, people are told beforehand too
(`unusually_late/<feed>`, for information): when nine of ten files used to be there a quarter of an hour ago, and the due time
has not passed. Roll-ups miss what is late, not what is only expected.

A feed may let the newest good partition stand in for a late one (`placeholder_days`): in the view `warehouse.<table>_filled` and
in marts that ask for it, never in the table. It is named in the partition's flags (`placeholder_of`) and in the mart's label,
stays while a late file is refused, and ends with the publication of the real one (`reconciled_at`), or when the partition is
waived. Marts with `on_incomplete: hold` wait all the same.

`shp waive FEED PARTITION --why TEXT` says that a file will never come: it is `waived`, leaves its incident, and no roll-up
misses it; `--undo` takes that back. A day that the feed file does not expect any more (an edited calendar) is waived by itself,
and expected again when that is taken back. A file that comes all the same is taken, whatever the state was.

### What the sinks do not hold

What was published can be lost later: a table dropped, rows deleted or changed by hand, a database restored from yesterday. The
sensor `gaps` compares, every minute, what the ledger calls published with what stands in the warehouse: its own publication
records, and the rows, counted for all partitions in one query; of a few partitions in turn (large ones less often) the rows are
read and their hash is computed again. In the lake all folders are listed in two calls, manifests and lengths are compared where a
folder changed and for some partitions in turn, and rows are read of the same few; what the lake lacks is its run's business, not a
backfill's. What is not there is `parked` (`sink_gap`), people are told once for each feed, and one
backfill of exactly these partitions is asked for: at most 500 at a time, oldest arrival first, visible on Dagster's *Backfills*
page, its runs below new arrivals and re-drives, so that a live file waits for one of them at most. The rows come from the
artefacts, so nothing is asked of the senders. The incident is closed when the rows were read again and agree; roll-ups are made
anew. What the backfill did not do within an hour is a re-drive's business.

`shp backfill FEED` does the same at once; `--dry-run` says what would run and why, `--from` and `--to` choose partitions.
`--stale` also publishes again what another contract or converter judged: the platform never does that by itself. The runs are
those of a started platform.

### Remote sources

A feed with a `uri` ([feeds.md](feeds.md#sources-elsewhere)) is looked at by the sensor `remotes`, each feed at its own pace and with a
deadline, so that a slow place delays no other feed. What it sees is an arrival; the run fetches the bytes, goes on where an
earlier try broke off, and takes nothing whose length or version does not fit: a file that changed meanwhile is fetched from its
beginning. A place that asks to be left alone (429 or 503 with Retry-After) is. Each place (`http@host`, `s3@bucket`,
`sftp@host`, `webhdfs@host`) has a breaker of its own.

A feed's fallbacks are tried in their order, by verdict and never silently: when the source is missing, does not answer or
refuses, for a partition that has no publication or is held for that; or when the partition is late. A passing failure is tried
again first. The partition's flag `fallback` and its history name the address that it came from. When the source is back its
file takes over again; `reconciled_at` is set where its bytes differ, and the run tells how the rows do.

### By hand

`shp quarantine release FEED PARTITION` lets a held partition run once more, whatever holds it. Three other ways, all safe
to repeat: `shp ingest FEED FILE` with the same file; *Materialize* (or a backfill) of the partition in the UI; or touching
the file in the landing folder, which is a new arrival. A re-run starts from the last artefact that is whole: bytes that
were kept are not copied again, rows that were validated are not validated again.

### Lost workers

A worker writes down its process and the step it is in before it begins, and renews its lease every {renew:g} s; a lease
that is not renewed ends after {lease:g} s. The sensor `lost_runs` (in a started platform) and the beginning of every
`shp ingest` look for attempts whose process is gone. Such an attempt gets the verdict `{lost}`, its run is ended in
Dagster, and the partition goes back to `{arrived}`, from where it is taken up again. When {deaths} workers were lost
in the same step on the same bytes, the partition becomes `{quarantined}` instead: the bytes may be what kills. A new
arrival arms it again. A worker that ended with all else (a reboot, `kill -9` of the platform or of `shp ingest`) counts
as `{interrupted}`, never as lost.

A process of another machine is never judged by its number; there the end of its Dagster run counts.

The reading process is a child of the worker. When only that child dies, nothing is lost. When it was ended from outside or ran
out of time (`{crashed}`, `{timeout}`) the machine may be to blame: the file is read once more, at once and with no other file
beside it, and the second time it is refused. One that asked for more memory than it may have is refused (`{memory}`). A worker
that finds no memory for itself is tried again like any passing failure.

### Interrupted runs

`shp down`, SIGTERM and Ctrl-C interrupt a run between two instructions. Open transactions are undone, the attempt is
closed with `{interrupted}`, the partition goes back to `{arrived}`, and the sensor `arrivals` asks for a run at its next
look. *Terminate* in the UI is a person's wish: the attempt is closed with `{terminated}`, the partition is
`{terminated_state}` and stays so until somebody asks for it ([by hand](#by-hand)) or a new arrival comes.

A run that ends without a verdict of its own (its worker never started, the ledger did not answer) is asked for again:
the first time at once, then after 20 s, 40 s and so on up to an hour.

## Codes by fault kind

Codes of single rows are not here: they make rejects and hold nothing, until their share is too large
(`{too_many}`). The sentences for senders and operators are in [codes.md](codes.md).
"""

AFTER_CODES = """\

## States and moves

A partition is in one of {count} states. A move that is not in this table is refused (`shp_core/states.py`); a move is
stored with compare-and-set, so two workers never both make it.

| from | to | why |
|---|---|---|
"""
