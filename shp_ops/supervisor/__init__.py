"""The supervisor: the platform's processes, started in order, kept up, ended in order.

    layout     where everything lies below SHP_HOME, and the files that Dagster reads there
    probes     does it answer? asked of each service itself, never of its pid alone
    services   which processes the platform consists of, and their commands
    parts      one supervised part: start, look, restart with back-off, stop
    readiness  waiting for one that was started, and what is told meanwhile
    platform   all of them together, under one lock per home
    state      what another process may read: `shp status`, `shp down`
    scribe     what the processes write, kept as JSON lines
    daily      what is done once a day: retention, in a process of its own
    guardian   ends what is left when the supervisor is killed
    access     which process works under which database role
    prepare    what must be done once before the services start; a process of its own

The supervisor itself imports neither Dagster nor SQLAlchemy: it stays for weeks and must stay small.
Must not live here: anything about feeds' contents, options and printing (`shp_ops.cli`).
"""
