"""Whether this process was told to stop, also while Dagster has its own signal handlers in place."""

from __future__ import annotations

import os
import signal


class StopSignal:
    """Remembers SIGINT and SIGTERM, whoever handled them; made in a worker's main thread."""

    def __init__(self) -> None:
        self._pipe, written = os.pipe()
        for end in (self._pipe, written):
            os.set_blocking(end, False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)

    def check(self) -> None:
        """Stop now if this process was told to.

        Raises:
            KeyboardInterrupt: it was.
        """
        try:
            told = os.read(self._pipe, 1)
        except BlockingIOError:
            return
        if told:
            raise KeyboardInterrupt
