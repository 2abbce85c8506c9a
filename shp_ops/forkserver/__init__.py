"""The fork server: one process that has imported everything and forks a worker for each run.

    server    the loop: requests, ended workers, changed files
    worker    what a forked worker does
    version   whether what was imported is still what lies on the disk

It has one thread and no connections, so that a fork copies neither locks nor sockets. Start: `python -m shp_ops.forkserver`.
"""
