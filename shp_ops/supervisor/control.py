"""What one process can do to a platform that another one runs: start it in the background, wait for it, stop it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from signal import SIGTERM

from shp_core.codes import Code
from shp_core.errors import ShpError
from shp_ops.supervisor.layout import Layout, python, python_path
from shp_ops.supervisor.state import PlatformState
from shp_resources.processes import MARK, ProcessId, spawn, sweep
from shp_resources.settings import Settings

_START_SECONDS, _STOP_SECONDS = 600.0, 120.0


def start_detached(
    settings: Settings, port: int | None = None, *, hadoop: bool = False, hive: bool = False, viewers: int | None = None
) -> PlatformState:
    """Start a supervisor in the background, unless one runs, and wait until its platform is ready.

    Args:
        settings: the installation.
        port: port of the UI.
        hadoop: with a Hadoop of its own.
        hive: with a HiveServer2 over it.
        viewers: port of a second UI in which nothing can be changed; 0: one that is free, None: there is none.

    Returns:
        The state of the ready platform.

    Raises:
        ShpError: it could not be started; nothing of it is left.
    """
    standing = running(settings)
    if standing is not None:
        return _wait(settings, standing.process, None)
    output = Layout(settings.home).output
    output.unlink(missing_ok=True)
    words = [*(["--port", str(port)] if port else []), *(["--hadoop"] if hadoop else []), *(["--hive"] if hive else [])]
    words += ["--viewers", str(viewers)] if viewers is not None else []
    child = _spawn(settings, words, output)
    try:
        return _wait(settings, ProcessId.of(child.pid), child)
    except BaseException as error:  # also Ctrl-C: who does not wait for it does not want it
        child.send_signal(SIGTERM)
        child.wait()
        if isinstance(error, ShpError):
            raise _told(error, settings, child, output) from error
        raise


def stop(settings: Settings) -> bool:
    """Stop the platform of an installation, or what a killed supervisor left of it.

    Returns:
        Whether there was anything to stop.

    Raises:
        ShpError: it does not stop.
    """
    state = PlatformState.load(Layout(settings.home).state)
    if state is None:
        return False
    process = state.process
    if process is None:
        return sweep(state.mark) > 0
    process.send(SIGTERM)
    if not process.gone_within(_STOP_SECONDS):
        raise ShpError(Code.SERVICE_FAILED, f"The supervisor (pid {process.pid}) does not stop.", f"Run: kill -9 {process.pid}")
    sweep(state.mark)
    return True


def running(settings: Settings) -> PlatformState | None:
    """The state of the platform that runs in a home, None when none does."""
    state = PlatformState.load(Layout(settings.home).state)
    return state if state is not None and state.process is not None else None


def _spawn(settings: Settings, options: list[str], output: Path) -> subprocess.Popen[bytes]:
    words = ["up", "--home", str(settings.home), *options]
    environ = {name: value for name, value in os.environ.items() if name != MARK} | python_path()
    return spawn(python("shp_ops.cli.main", *words), output, environ, Path.cwd(), dies_with_us=False)


def _wait(settings: Settings, process: ProcessId | None, child: subprocess.Popen[bytes] | None) -> PlatformState:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        state = running(settings)
        if state is not None and state.ready_at is not None:
            return state
        if (child is not None and child.poll() is not None) or (process is not None and not process.alive()):
            raise ShpError(Code.SERVICE_FAILED, "The supervisor ended before the platform was ready.")
        time.sleep(0.05)
    raise ShpError(Code.SERVICE_FAILED, f"The platform is not ready after {_START_SECONDS:g} s.", "Run: shp status")


def _told(error: ShpError, settings: Settings, child: subprocess.Popen[bytes], output: Path) -> ShpError:
    state = PlatformState.load(Layout(settings.home).state)
    if state is not None and state.failure and state.supervisor.startswith(f"{child.pid}@"):
        return ShpError(Code(state.failure["code"]), state.failure["message"], state.failure["next"])
    last = output.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
    return ShpError(error.code, f"{error.message}\n" + "\n".join(last), f"Read {output}.")
