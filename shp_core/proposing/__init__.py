"""From a sample to a proposed feed file: what the cells of a workbook or CSV file say about the contract they may keep.

Lives here: finding the header, evidence from every cell of a column, what follows from it, the file's text. What evidence
does not decide is asked, never guessed (`questions`). Must not live here: reading the sample, and talking to a person.
"""
