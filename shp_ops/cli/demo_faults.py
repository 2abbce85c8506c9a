"""What `shp demo --faults` shows.

Must not live here: the story (`shp_ops.demo.rehearsal`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from shp_ops.cli.output import Desk

if TYPE_CHECKING:
    from shp_ops.demo.rehearsal import Rehearsed


def play_faults(desk: Desk, home: Path | None) -> int:
    """Play the story of faults; the exit code."""
    from shp_ops.demo.home import demo_settings
    from shp_ops.demo.rehearsal import rehearse

    settings = demo_settings(desk.settings, home, faults=True)
    outcome = rehearse(settings, desk.say)
    desk.answer(_document(outcome))
    if not desk.json:
        _show(desk, outcome)
    return 0 if outcome.proven else 1


def _document(outcome: Rehearsed) -> dict[str, Any]:
    return {
        "proven": outcome.proven,
        "acts": [{"done": act.done, "seen": act.seen, "seconds": act.seconds and round(act.seconds, 1)} for act in outcome.acts],
        "proof": [{"what": what, "sql": str(held), "delivered": str(given), "equal": held == given} for what, held, given in outcome.proof],
        "incidents": [
            {"cause": incident.cause, "members": len(incident.members), "closed": incident.closed_at is not None, "proof": incident.proof}
            for incident in outcome.incidents
        ],
    }


def _show(desk: Desk, outcome: Rehearsed) -> None:
    from shp_ops.cli.tables import Listing

    document = _document(outcome)
    desk.say("")
    acts = [[act["done"], act["seen"], f"{act['seconds']:.1f} s"] for act in document["acts"]]
    Listing(["what was done", "what became of it", "healed after"], acts).show(desk.console)
    desk.say("")
    proof = [[line["what"], line["sql"], line["delivered"], "equal" if line["equal"] else "DIFFERENT"] for line in document["proof"]]
    Listing(["proof", "by SQL", "delivered", ""], proof).show(desk.console)
    desk.say("")
    for incident in document["incidents"]:
        desk.say(f"incident {incident['cause']}: {'over: ' + incident['proof'] if incident['closed'] else 'STILL OPEN'}")
    words = "Everything healed: nothing is lost, nothing is there twice." if outcome.proven else "IT DID NOT HEAL, see above."
    desk.say(words)
