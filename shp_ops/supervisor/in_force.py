"""What the feed files, mart files and `shp.yaml` say, as far as they are sound: asked of a process of its own.

The libraries that read them would stay in the supervisor's memory, 9 MB for a look at each edit.
Must not live here: noticing an edit, and what follows from one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from shp_core.codes import Code
from shp_core.errors import ShpError, UsageError
from shp_ops.supervisor.layout import python, python_path
from shp_resources.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

_SECONDS = 60.0


@dataclass(frozen=True)
class InForce:
    """What the files say.

    Args:
        files: feeds and marts that are sound, as a text that is another one when they are.
        platform: `shp.yaml`, so too; None: it is broken.
        errors: a sentence for each error in feeds and marts.
        slips: so for `shp.yaml`.
    """

    files: str
    platform: str | None
    errors: tuple[str, ...] = ()
    slips: tuple[str, ...] = ()


def ask(settings: Settings) -> InForce:
    """Have the files read.

    Args:
        settings: the installation.

    Raises:
        ShpError: the process that reads them did not live to say.
    """
    environ = {**os.environ, **python_path(), **settings.as_environment(), "PYTHONHASHSEED": "0"}
    command = python("shp_ops.supervisor.in_force")
    try:
        said = subprocess.run(command, env=environ, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=True)
        found = json.loads(said.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        next_step = "Run: shp feeds check (reads them in the same way, and says what it meets)."
        raise ShpError(Code.SERVICE_FAILED, f"The feed files could not be read ({type(error).__name__}).", next_step) from error
    return InForce(found["files"], found["platform"], tuple(found["errors"]), tuple(found["slips"]))


def read(settings: Settings) -> InForce:
    """Read the files.

    Args:
        settings: the installation.
    """
    from shp_core.feeds.load import load_catalogue
    from shp_core.feeds.platform import load_platform

    catalogue = load_catalogue(settings.feeds, settings.marts, settings.last_good)
    files, errors = _text([*catalogue.feeds.values(), *catalogue.marts.values()]), tuple(catalogue.errors)
    try:
        return InForce(files, _text([load_platform(settings.platform_file)]), errors)
    except UsageError as error:
        return InForce(files, None, errors, tuple(error.message.splitlines()))


def _text(models: Iterable[BaseModel]) -> str:
    return "\n".join(model.model_dump_json() for model in models)


if __name__ == "__main__":
    json.dump(asdict(read(Settings.load())), sys.stdout)
