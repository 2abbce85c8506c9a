"""One job to its end: found by its tag or submitted, watched, ended at its limits, told why it failed.

The client that submits a job has no limit of its own: without a live NodeManager both wait for ever.
"""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import Fault
from shp_core.healing.faults import Evidence
from shp_core.lake.mapper import STANDARD
from shp_core.lake.place import Place
from shp_resources.hdfs.cluster import Cluster
from shp_resources.lake.archive import TOO_OLD
from shp_resources.lake.engine import MapJob, MapResult, write_cargo
from shp_resources.processes import spawn, stop
from shp_resources.yarn.history import counters_of
from shp_resources.yarn.rest import SYSTEM, Application, Yarn
from shp_resources.yarn.streaming import command, counters_in

_LOOK_SECONDS = 0.25
_WORDS = 2000
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "JAVA_HOME", "KRB5CCNAME", "KRB5_CONFIG")
_NO_PYTHON = (TOO_OLD, "Cannot run program", ": not found", "subprocess failed with code 127")
_WORDS_OF_THE_MAPPER = (TOO_OLD, "shp_core.", "MalformedLine", "UnicodeDecodeError", "ModuleNotFoundError", "MemoryError")


@dataclass(frozen=True)
class Deadlines:
    """How long a job may take.

    Args:
        accepted: seconds until somebody works on it.
        whole: seconds until its end.
        silent: seconds in which a task says nothing.
        counters: seconds from a job's end until its client has told the counters.
    """

    accepted: float = 120.0
    whole: float = 1800.0
    silent: float = 600.0
    counters: float = 15.0


class YarnEngine:
    """Runs the mapper on YARN.

    Args:
        cluster: where; it must run jobs.
        place: the lake in its HDFS.
        deadlines: how long a job may take.
        python: what runs the mapper on the nodes.
        engine: `standard`, or `arrow` where that python has it.
    """

    def __init__(
        self, cluster: Cluster, place: Place, deadlines: Deadlines | None = None, python: str = "python3", engine: str = STANDARD
    ) -> None:
        assert cluster.yarn_url is not None
        self._cluster, self._place, self._deadlines = cluster, place, deadlines or Deadlines()
        self._yarn, self._python, self._engine = Yarn(cluster.yarn_url, cluster.user, cluster.kerberos), python, engine

    def run(self, job: MapJob, scratch: Path) -> MapResult:
        """Run one pass to its end, and those beside it; what an earlier job makes or made of the same work is taken.

        Raises:
            Fault: it failed, could not be submitted, or was ended at a limit; what it wrote does not count.
        """
        found = self.found(job)
        return found if found is not None else self._run(job, scratch)

    def found(self, job: MapJob) -> MapResult | None:
        """What an earlier job makes or made of the same work; see `RememberingEngine`."""
        known = self._yarn.newest(job.tag)
        if known is None:
            return None
        if not known.ended:
            return self._joined(job, known)
        is_there = known.final == "SUCCEEDED" and not job.anew and self._place.entries(known.name)
        return self._taken(known) if is_there else None

    def knows(self, tags: Collection[str]) -> set[str]:
        """Which of these tags an application has; see `RememberingEngine`."""
        return {tag for one in self._yarn.tagged(tags) for tag in one.tags.intersection(tags)} if tags else set()

    def _joined(self, job: MapJob, running: Application) -> MapResult | None:
        try:
            return self._taken(self._watch(job, running.id, None))
        except Fault as fault:
            if fault.code is Code.CODE_BUG and len(running.tags) > 1:
                return None  # whose rows it failed at is not known: each is asked about alone
            raise

    def _taken(self, ended: Application) -> MapResult:
        """What another request's job made; the counters of a job for many are about all of them."""
        counters = counters_of(self._cluster, ended.id) if len(ended.tags) == 1 else {}
        return MapResult(ended.id, ended.name, counters, taken=True)

    def _run(self, job: MapJob, scratch: Path) -> MapResult:
        before = {one.id for one in self._submissions(job)}
        self._place.remove(job.target)  # a job that failed leaves its directory, and would not start over it
        log = scratch / "client.log"
        log.unlink(missing_ok=True)
        with self._client(job, scratch, log) as client:
            ended = self._watch(job, None, client, before, log)
            with suppress(subprocess.TimeoutExpired):  # it missed the end, and asks for a history server that there may not be
                client.wait(self._deadlines.counters)
        return MapResult(ended.id, job.target, counters_in(_text(log)) or counters_of(self._cluster, ended.id))

    @contextmanager
    def _client(self, job: MapJob, scratch: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """The process that submits the job; when it ends early the job goes on, and is found by its tag."""
        write_cargo(job, scratch, self._engine)
        words = command(self._cluster, job, scratch, self._deadlines.silent, self._python, self._engine)
        try:
            client = spawn(words, log, client_environment(self._cluster), scratch)
        except OSError as error:
            text = f"{type(error).__name__}: {error}"
            raise Fault(Code.SINK_REFUSED, f"{job.name} could not be submitted: {text}", Evidence(SYSTEM, text=text)) from error
        try:
            yield client
        finally:
            stop(client, 5.0)

    def _watch(
        self,
        job: MapJob,
        application: str | None,
        client: subprocess.Popen[bytes] | None,
        before: Collection[str] = (),
        log: Path | None = None,
    ) -> Application:
        """Look at a job until its end.

        Args:
            job: what was asked for.
            application: its id, None until the ResourceManager knows it.
            client: the process that submits it, None for a job that was found.
            before: ids of the applications that wrote to its place before it was submitted.
            log: what the client says.
        """
        started = time.monotonic()
        while True:
            gone = client is not None and client.poll() is not None
            found = self._yarn.get(application) if application else self._submitted(job, before)
            application = found.id if found else None
            if found is None and gone:
                raise self._not_submitted(job, _text(log))
            if found is not None and found.ended:
                return self._succeeded(job, found)
            self._hold_to_limits(job, found, time.monotonic() - started)
            time.sleep(_LOOK_SECONDS)

    def _submitted(self, job: MapJob, before: Collection[str]) -> Application | None:
        return next((one for one in self._submissions(job) if one.id not in before), None)

    def _submissions(self, job: MapJob) -> list[Application]:
        """The applications that write where this job does: another run's job for many may bear its tag, too."""
        return [one for one in self._yarn.tagged([job.tag]) if one.name == job.target]

    def _hold_to_limits(self, job: MapJob, found: Application | None, seconds: float) -> None:
        limit = self._deadlines.accepted if found is None or found.waiting else self._deadlines.whole
        if seconds <= limit:
            return
        state = found.state if found else "not submitted"
        if found is not None:
            self._yarn.kill(found.id)
        text = f"still {state} after {limit:g} s; it was ended"
        evidence = Evidence(SYSTEM, errno=errno.ETIMEDOUT, yarn_state=state, text=text)
        raise Fault(Code.TRANSIENT, f"{job.name}: the job was {text}.", evidence, "Is a NodeManager alive? See: shp status")

    def _succeeded(self, job: MapJob, found: Application) -> Application:
        """The application, if it did what it was asked for.

        Raises:
            Fault: it did not.
        """
        if found.final == "SUCCEEDED":
            return found
        words = self._yarn.last_words(found)
        cause = _cause(words) or found.diagnostics.strip().partition("\n")[0]
        evidence = Evidence(SYSTEM, yarn_state=found.final, text=cause[-300:])
        message = f"{job.name}: {found.id} ended as {found.final.lower()}: {cause}\n{found.diagnostics[:_WORDS]}\n{words[-_WORDS:]}"
        raise Fault(_code(found, words), message, evidence)

    def _not_submitted(self, job: MapJob, said: str) -> Fault:
        """What the client died of; it speaks of HDFS and YARN in the words of Java's exceptions."""
        last = next((line for line in reversed(said.splitlines()) if "Exception" in line or "ERROR" in line), said[-300:]).strip()
        down = "ConnectException" in said or "NoRouteToHost" in said
        code = Code.SINK_UNREACHABLE if down else Code.TRANSIENT if "SafeModeException" in said else Code.SINK_REFUSED
        evidence = Evidence(SYSTEM, errno=errno.ECONNREFUSED if down else None, text=last[-300:])
        return Fault(code, f"{job.name} could not be submitted: {last}\n{said[-_WORDS:]}", evidence)


def client_environment(cluster: Cluster) -> dict[str, str]:
    """What the client is told of ours, and of the cluster."""
    inherited = {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("HADOOP_")}
    realms = inherited.get("KRB5_CONFIG", "").partition(":")[0]
    if cluster.kerberos and realms:  # Java does not know this variable, and takes one file
        inherited["HADOOP_OPTS"] = f"{inherited.get('HADOOP_OPTS', '')} -Djava.security.krb5.conf={realms}".strip()
    return {**inherited, **cluster.environ}


def _code(found: Application, words: str) -> Code:
    """What a failed application is called."""
    told = f"{words}\n{found.diagnostics}"
    if found.final == "KILLED":
        return Code.TRANSIENT
    if any(sign in told for sign in _NO_PYTHON):
        return Code.SINK_REFUSED
    if "subprocess failed with code" in told:
        return Code.CODE_BUG
    return Code.TRANSIENT


def _cause(words: str) -> str:
    """The line of a log that says what happened: the mapper's own last word, else that of whoever started it."""
    lines = [line.strip() for line in words.splitlines()]
    mapper = [line for line in lines if line.startswith(_WORDS_OF_THE_MAPPER)]
    others = [line for line in lines if any(sign in line for sign in (*_NO_PYTHON, "subprocess failed with code"))]
    return (mapper or others or [""])[-1]


def _text(path: Path | None) -> str:
    if path is None or not path.exists():
        return ""
    return path.read_text(encoding="utf-8", errors="replace")
