"""All benchmarks, one after the other: `python -m benchmarks` (what `make bench` calls)."""

from __future__ import annotations

from benchmarks import again, healing, idle, ingest, lake, memory, reading, runs

if __name__ == "__main__":
    for benchmark in (reading, ingest, memory, again, runs, healing, lake, idle):
        benchmark.main([], standalone_mode=False)
