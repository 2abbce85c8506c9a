"""YARN: the mapper as a Hadoop Streaming job, from the first request to the last word of a task.

    rest       the ResourceManager's and NodeManagers' REST interfaces behind our errors
    streaming  the command that submits a job
    history    a job's counters when no client told them
    engine     one job to its end: found by its tag or submitted, watched, ended at its limits, told why it failed

Must not live here: what the mapper does (`shp_core.lake.mapper`), what is done with its output (`shp_resources.lake`).
"""
