"""What a run's steps write to standard output and error: kept where Dagster's UI looks for it, below SHP_HOME.

Must not live here: events and messages of `context.log`; those are in the event log.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClassData
from dagster._utils import ensure_file, touch_file

from shp_resources.dagster_storage import is_short_lived
from shp_resources.settings import Settings


class ShpComputeLogManager(LocalComputeLogManager):
    """Dagster's own, but in a short-lived worker what is captured is not repeated on the worker's own streams.

    Repeating it costs four processes a run (two `tail` and two that watch them).
    """

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No options: the place comes from the settings."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> ShpComputeLogManager:
        """The manager over the folder that Dagster itself would take.

        Args:
            inst_data: how Dagster makes it again in another process.
            config_value: always empty.
        """
        return cls(str(Settings.load().home / "dagster" / "storage"), inst_data=inst_data)

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Keep what this process writes while the block lasts."""
        if not is_short_lived():
            with super().capture_logs(log_key) as captured:
                yield captured
            return
        out, err = (self._file(log_key, kind) for kind in (ComputeIOType.STDOUT, ComputeIOType.STDERR))
        with redirect_to_file(sys.stdout, out), redirect_to_file(sys.stderr, err):
            yield CapturedLogContext(log_key)
        touch_file(self.get_captured_local_path(log_key, "complete"))

    def _file(self, log_key: Sequence[str], kind: ComputeIOType) -> str:
        path: str = self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind])
        ensure_file(path)
        return path
