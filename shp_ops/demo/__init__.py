"""`shp demo`: the whole story on sample data, in a home of its own.

    home     a place of its own, never one that holds somebody's data
    story    start the platform, drop the samples, watch, stop
    watch    what happens to the dropped files, as the ledger tells it
    proof    tables against workbooks, the workbooks read by openpyxl

Must not live here: anything a real installation needs.
"""
