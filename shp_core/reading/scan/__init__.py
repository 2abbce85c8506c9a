"""The fast reader: the text rows of a plain sheet, straight from its inflated bytes into Arrow columns.

Lives here: kernels that numba compiles (`kernels`), their compiled form on disk (`library`), and what drives them. The
meaning of every cell is the reference's (`shp_core.reading.reference`); what the kernels do not know is handed to its
functions, and where that cannot be done the scan declines and the reference reads the sheet.
Must not live here: a second opinion on anything. An error is always the reference's to tell.
"""
