"""The lake: what lies there, in which form, and what is computed from it.

    place     the small protocol of somewhere that files are published whole: HDFS, or a local folder that stands in
    lines     text rows as lines of the one text dialect
    manifest  what a folder of the lake holds; the only thing that readers follow
    shipped   a contract on its way to a node: as JSON, and back
    shortcut  the cells that mean what they say, told without the reference
    bulk      whole columns of numbers, told together
    columns   a block's cells of one contract column, converted together
    mapper    lines of text rows in, clean typed lines or rejects out; runs on any node that has python3 (3.8)
    arrow_mapper  the same lines from nodes whose python has Arrow

Must not live here: HDFS, YARN, files. Layout below the lake's root (`<key>` is a partition key):

    lake/<path>/partition=<key>/<publication>/part-00000      text rows, clean or not
    lake/<path>/partition=<key>/_manifest.json
    curated/<path>/partition=<key>/<publication>/part-…       clean rows, typed as the contract says
    curated/<path>/partition=<key>/_manifest.json
"""
