"""What reacts: each sensor asks one question ("what is due?") and returns run requests or a reason to skip.

Must not live here: the work itself; a sensor never reads a workbook and never writes to a sink.
"""
