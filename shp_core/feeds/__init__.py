"""Feed files: the typed model, loading with all errors at once, versions, names.

Must not live here: how a workbook is read or a row is judged.
"""
