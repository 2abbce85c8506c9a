"""Processes of this machine: identity that survives pid reuse, starting, stopping, free ports.

Lives here: what the operating system knows of processes, read from `/proc` with the standard library only (helpers
that must stay small import this module). Must not live here: which processes the platform consists of.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
MARK = "SHP_PLATFORM"
_PORTS = range(20000, 32000)  # below Linux's ephemeral range, so that no outgoing connection takes a remembered port
_PR_SET_PDEATHSIG = 1
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LIBC = ctypes.CDLL(None)  # loaded here: nothing may be imported between fork and exec


@dataclass(frozen=True)
class ProcessId:
    """One process, not to be confused with a later one under the same number.

    Args:
        pid: the number.
        started: start time in clock ticks since boot, with the boot's first eight characters before it.
    """

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has this number now; None when there is none (a zombie counts as none)."""
        fields = _stat(pid)
        if fields is None or fields[0] in "ZX":
            return None
        return cls(pid, f"{_boot()}-{fields[19]}")

    @classmethod
    def current(cls) -> ProcessId:
        """This process."""
        return cls(os.getpid(), f"{_boot()}-{(_stat(os.getpid()) or [])[19]}")

    @classmethod
    def parse(cls, text: str | None) -> ProcessId | None:
        """The form that `str` writes; None for anything else, so a missing tag is never a process."""
        pid, at, started = (text or "").partition("@")
        return cls(int(pid), started) if at and pid.isdecimal() and int(pid) > 0 else None

    def __str__(self) -> str:
        return f"{self.pid}@{self.started}"

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.pid > 0 and ProcessId.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal if the process still runs."""
        if self.alive():
            _kill(self.pid, number)

    def gone_within(self, seconds: float) -> bool:
        """Wait for the process to end; True when it has."""
        return wait_until(lambda: not self.alive(), seconds)


def is_halted(pid: int) -> bool:
    """Whether a process was halted (SIGSTOP, a debugger): it lives, and does nothing."""
    fields = _stat(pid)
    return fields is not None and fields[0] in "Tt"


def proportional_size(pid: int) -> int:
    """Memory of a process in bytes, pages that it shares with others counted in part (PSS); 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def memory_of_tree(pid: int) -> int:
    """Memory of a process and of all that it started, in bytes; see `proportional_size`."""
    return proportional_size(pid) + sum(memory_of_tree(child) for child in _children(pid))


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Poll until the condition holds.

    Args:
        condition: what to wait for.
        seconds: how long at most.
        pause: seconds between two looks.

    Returns:
        Whether it held in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def spawn(
    command: Sequence[str | Path], log: Path | int, env: Mapping[str, str], cwd: Path, dies_with_us: bool = True
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output appended to a log file or written into a pipe.

    Its signals are at their defaults: a SIGINT that a shell's `&` left ignored would make Dagster deaf to SIGTERM. They
    wait while it is being made: a Ctrl-C is for us until then, and would make it say so in a traceback of its own.

    Args:
        command: program and arguments.
        log: file for standard output and standard error, or a descriptor, which stays open here.
        env: the whole environment.
        cwd: working directory.
        dies_with_us: send it SIGTERM when the thread that calls this ends, however it ends.

    Raises:
        OSError: the program cannot be started.
    """
    parent = os.getpid()

    def prepare() -> None:
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        if dies_with_us:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
            if os.getppid() != parent:
                os._exit(1)

    with _output(log) as output, _signals_wait():
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=prepare,
        )


@contextlib.contextmanager
def _output(log: Path | int) -> Iterator[int]:
    if isinstance(log, int):
        yield log
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        yield output.fileno()


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop(process: subprocess.Popen[bytes], grace: float, number: signal.Signals = signal.SIGTERM) -> bool:
    """End a child: ask, wait, then kill.

    Args:
        process: the child.
        grace: seconds it has to end by itself.
        number: the signal that asks.

    Returns:
        Whether it ended by itself.
    """
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(grace)
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def marked(mark: str) -> list[ProcessId]:
    """All processes but this one whose environment carries `SHP_PLATFORM=<mark>`, whoever their parents are now."""
    wanted = f"{MARK}={mark}".encode()
    return [process for process in _others() if wanted in _environment(process.pid)]


def sweep(mark: str, grace: float = 5.0) -> int:
    """End every process that carries the mark: SIGTERM, then SIGKILL after the grace.

    Args:
        mark: value of `SHP_PLATFORM` in their environments.
        grace: seconds between the two signals.

    Returns:
        How many there were.
    """
    found = marked(mark)
    _send_all(found, signal.SIGTERM)
    wait_until(lambda: not any(process.alive() for process in found), grace)
    _send_all(marked(mark), signal.SIGKILL)
    wait_until(lambda: not marked(mark), grace)
    return len(found)


def port_is_free(port: int) -> bool:
    """Whether nothing listens on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None, taken: Iterable[int] = ()) -> int:
    """A port of the loopback address on which nothing listens.

    Args:
        preferred: taken if it is free.
        taken: ports that are promised to others.

    Raises:
        OSError: a hundred ports in a row were in use.
    """
    excluded = set(taken)
    for port in [*([preferred] if preferred else []), *random.sample(_PORTS, 100)]:
        if port not in excluded and port_is_free(port):
            return port
    raise OSError("no free port found on the loopback address")


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it is gone, or one of its threads is
        for task in Path(f"/proc/{pid}/task").iterdir():
            found.extend(map(int, (task / "children").read_text(encoding="ascii").split()))
    return found


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]


def _others() -> list[ProcessId]:
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    found = [ProcessId.of(number) for number in numbers if number != os.getpid()]
    return [process for process in found if process is not None]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _send_all(processes: Iterable[ProcessId], number: signal.Signals) -> None:
    for process in processes:
        process.send(number)


def _kill(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
