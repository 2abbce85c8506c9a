"""The fork server: one process that has imported everything and forks a worker for each run.

    code       everything a run needs, imported
    version    whether what was imported is still what lies on the disk
    server     the loop: requests, ended workers, changed files
    listener   the socket, which survives importing anew
    worker     what a forked worker does

It has one thread and no connections, so that a fork copies neither locks nor sockets. Start: `python -m shp_ops.forkserver`.
"""
