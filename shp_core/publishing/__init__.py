"""What both sinks share: the text dialect, row and partition hashes, which partition a key belongs to.

Must not live here: SQL and connections.
"""
