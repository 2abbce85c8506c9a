"""The thinking of the platform, as pure functions.

Lives here: the feed model, reading workbooks, the contract, splitting rows, fault classes, state tables.
Must not live here: Dagster, SQLAlchemy, HTTP or HDFS clients, the clock, the environment, the network.
Time comes in as a `Clock`; everything else comes in as an argument.
"""
