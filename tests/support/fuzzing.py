"""How long property tests search: as long as a test run can wait, or as long as `make fuzz` says."""

from __future__ import annotations

import os


def examples(usual: int) -> int:
    """How many examples a property test tries: `SHP_FUZZ_EXAMPLES`, else the usual number."""
    return int(os.environ.get("SHP_FUZZ_EXAMPLES", usual))
