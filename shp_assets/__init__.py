"""The graph: assets and checks made from feed files.

Lives here: asset bodies of about 15 lines that call one core function and hand the result to a resource.
Must not live here: SQL, file handling, thinking about rows, feed names.
"""
