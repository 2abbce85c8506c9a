"""Which Java runs Hadoop: JAVA_HOME's, else the one on the PATH; old ones are refused before anything is started."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shp_core.codes import Code
from shp_core.errors import UsageError

OLDEST = 17
_NEXT = "Install Java 17 (Debian, Ubuntu: apt-get install openjdk-17-jre-headless) or set JAVA_HOME; without --hadoop no Java is needed."


@dataclass(frozen=True)
class Java:
    """A Java that can run Hadoop.

    Args:
        program: the `java` program.
        home: its home, which Hadoop calls JAVA_HOME.
    """

    program: Path
    home: Path


def find_java(environ: Mapping[str, str] | None = None) -> Java:
    """The Java of this machine.

    Args:
        environ: the environment (the process's by default).

    Raises:
        UsageError: there is none, or it is too old.
    """
    known = os.environ if environ is None else environ
    program = _program(known)
    if program is None:
        raise UsageError(f"Hadoop needs Java {OLDEST} or newer; no java was found on this machine.", _NEXT, Code.SETTINGS_INVALID)
    said = _ask(program)
    version = re.search(r"java\.specification\.version = (?:1\.)?(\d+)", said)
    home = re.search(r"java\.home = (.+)", said)
    if version is None or home is None:
        raise UsageError(f"{program} does not say which Java it is.", _NEXT, Code.SETTINGS_INVALID)
    if int(version[1]) < OLDEST:
        raise UsageError(f"Hadoop needs Java {OLDEST} or newer; {program} is Java {version[1]}.", _NEXT, Code.SETTINGS_INVALID)
    return Java(Path(program), Path(home[1].strip()))


def _program(environ: Mapping[str, str]) -> str | None:
    home = environ.get("JAVA_HOME")
    if home and (Path(home) / "bin" / "java").is_file():
        return str(Path(home) / "bin" / "java")
    return shutil.which("java", path=environ.get("PATH"))


def _ask(program: str) -> str:
    try:
        command = [program, "-XshowSettings:properties", "-version"]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stderr
    except (OSError, subprocess.TimeoutExpired):
        return ""
