"""Delivering files now, as Dagster runs in this process: what `shp ingest` does.

Lives here: the installation opened without a running platform, one file's way, workers over many files.
Must not live here: how rows are read, judged or published; that is the graph's business.
"""
