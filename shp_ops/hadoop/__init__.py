"""A Hadoop for one machine: what `shp up --hadoop` adds to the platform.

    pom.xml        which jars, by coordinates only
    jars           fetched once with Maven, into a cache that homes may share
    installed      or those of an installed Hadoop, which HADOOP_HOME names
    java           which Java runs them
    configuration  Hadoop's own XML files, written anew at each start
    daemons        the four daemons as services of the supervisor
    probes         does it answer? asked by writing a file and by asking the NodeManager itself
    hive           HiveServer2 over it: jars (hive-pom.xml), files, service, probe
    machine        all of it together: prepare, services, what other processes are told

Standard library only, like the supervisor. Must not live here: what the platform does with HDFS and YARN
(`shp_resources.hdfs`, `shp_resources.yarn`).
"""
