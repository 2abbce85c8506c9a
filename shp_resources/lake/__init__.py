"""The lake: where it lies, and how a partition comes to lie there.

    local     a local folder that stands in for HDFS, and says so
    settings  which of the two an installation has
    publish   text rows under `lake/`, made current by the manifest's rename
    curated   clean rows under `curated/`, made by the mapper, held to the warehouse's hash
    together  one job for many partitions, and whose part of its output is whose
    readback  clean rows read from the lake: counted, hashed
    agree     one truth in two sinks, and the rows that differ
    engine    what runs the mapper: a process of this machine, or YARN (`shp_resources.yarn`)
    archive   the mapper as one file
    manifests what stands, who may replace it
    strays    what killed processes left

Must not live here: WebHDFS (`shp_resources.hdfs`), YARN (`shp_resources.yarn`), the form of lines and manifests
(`shp_core.lake`).
"""
