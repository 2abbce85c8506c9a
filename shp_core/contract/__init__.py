"""From text rows to clean rows and rejects: header mapping, conversion, row rules, file rules.

The plain implementation here defines the meaning; faster twins must agree with it.
Must not live here: reading of workbooks, and any sink.
"""
