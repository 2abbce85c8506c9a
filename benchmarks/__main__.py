"""All benchmarks, one after the other: `python -m benchmarks` (what `make bench` calls)."""

from __future__ import annotations

from benchmarks.ingest import main

if __name__ == "__main__":
    main()
