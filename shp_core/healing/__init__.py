"""Faults: evidence, kinds, classification; verdicts, breakers and budgets build on these.

Must not live here: foreign exceptions; `shp_resources` turns those into `Evidence`.
"""
