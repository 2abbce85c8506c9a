"""HDFS: where it is, and files that are published there whole or not at all.

    cluster   which NameNodes, which ResourceManager, as whom; from the settings or from a running `shp up --hadoop`
    client    HDFS as a place of the lake
    checksums HDFS's own checksum of what was sent, so that nothing is read back
    errors    what goes wrong, as evidence
    web       the `hdfs` client, made to say what WebHDFS said, and shown who we are

Must not live here: what is in the files (`shp_core.lake`), jobs (`shp_resources.yarn`).
"""

from shp_resources.hdfs.cluster import Cluster, cluster_of, forget_cluster, seal, tell_cluster

__all__ = ["Cluster", "cluster_of", "forget_cluster", "seal", "tell_cluster"]
