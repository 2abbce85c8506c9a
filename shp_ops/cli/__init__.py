"""The command `shp`: one module per command, a table of them, and how all of them speak.

Lives here: options, progress and printing for people, exit codes, the JSON documents of DESIGN's contract.
Must not live here: work; a command calls one function of the platform and shows what came of it.
"""
