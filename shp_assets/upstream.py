"""What the graph uses of Dagster that Dagster does not call final yet, in one place; importing this silences the warnings.

`tests/test_upstream.py` pins what we lean on, so that an upgrade that changes it says so.
"""

from __future__ import annotations

import warnings

import dagster as dg

for category in (dg.PreviewWarning, dg.BetaWarning):
    warnings.filterwarnings("ignore", category=category)

# A column called "name" in a preview is what the user's sheet says.
warnings.filterwarnings("ignore", module="dagster_pandas")
