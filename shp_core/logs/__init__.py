"""Log lines: what stands in one, how the output of any process becomes some, and what must never be in one.

    line     one JSON line, and how a person reads it
    gather   the output of a process, line by line, as records; a traceback is one
    redact   secrets, replaced

Must not live here: files, pipes and loggers.
"""
