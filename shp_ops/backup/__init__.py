"""`shp backup` and `shp restore`: what is copied, in which order, and what follows from a copy that is older than the tables.

Must not live here: how a database is dumped (`shp_resources.dumps`), and the commands' words (`shp_ops.cli.backup`).
"""
