"""Files that come with the package: feeds, marts, samples; from the wheel, or from the checkout it runs in."""

from __future__ import annotations

from pathlib import Path

import shp_ops

_PACKAGE = Path(shp_ops.__file__).parent


def bundled(name: str) -> Path:
    """A file or folder that comes with the package (`feeds`, `marts`, `samples`, `shp.yaml`, `dagster.yaml`)."""
    packed = _PACKAGE / "bundle" / name
    return packed if packed.exists() else _PACKAGE.parent / name
