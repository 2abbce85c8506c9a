"""Files that are made from code and committed: pages of the documentation, and the meanings of codes.

Run `python -m tests.support.generated` to write them anew; `git diff` then shows what changed for users.
"""

from __future__ import annotations

import json
from pathlib import Path

from shp_core.codes import Code
from shp_core.codes_page import codes_page, meaning
from shp_core.feeds.schema import feeds_page

ROOT = Path(__file__).parent.parent.parent
MEANINGS = ROOT / "tests" / "golden" / "codes.json"
PAGES = {ROOT / "docs" / "feeds.md": feeds_page, ROOT / "docs" / "codes.md": codes_page}


def meanings() -> dict[str, str]:
    """By code, the hash of its meaning."""
    return {str(code): meaning(code) for code in Code}


def write() -> None:
    """Write all of them."""
    MEANINGS.write_text(json.dumps(meanings(), indent=1) + "\n", encoding="utf-8")
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
