"""From a workbook's bytes to text rows, nothing lost, nothing guessed.

Lives here: the gate, the reference reader, the text of numbers and dates. Standard library only, but for the
Arrow batches in which text rows leave the reader's process (`child`).
Must not live here: what a column means; that is the contract's business.
"""
