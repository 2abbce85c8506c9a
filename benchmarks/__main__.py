"""All benchmarks, one after the other: `python -m benchmarks` (what `make bench` calls)."""

from __future__ import annotations

from benchmarks import healing, idle, ingest, lake, reading, runs

if __name__ == "__main__":
    for benchmark in (reading, ingest, runs, healing, lake, idle):
        benchmark.main([], standalone_mode=False)
