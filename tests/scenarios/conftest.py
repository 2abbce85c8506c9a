"""What the stories share."""

from __future__ import annotations

import pytest

from tests.support.healing import Ward
from tests.support.platforms import Platform


@pytest.fixture
def ward(platform: Platform) -> Ward:
    """A platform under a clock that the story moves."""
    return Ward(platform)
