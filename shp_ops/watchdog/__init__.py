"""The watchdog: a process that watches the others, tells people, and answers monitoring, whatever state Dagster is in.

    watch      asks each service how it is, each in a thread of its own, so that one that hangs hides no other
    readings   what the ledger, Dagster's tables and the disk say, read for one scrape
    metrics    the readings as Prometheus reads them
    server     `/livez`, `/readyz` and `/metrics` on the loopback address
    telling    sends due alerts every few seconds
    emergency  tells that the platform itself is not ready, past the ledger

It depends on neither daemon nor webserver, and imports no Dagster: it must stay small. It changes nothing but the outbox and its own file.
Must not live here: starting anything again (`shp_ops.supervisor`), and what is told (`shp_core.alerts`).
"""
