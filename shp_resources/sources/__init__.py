"""Remote sources behind one protocol: HTTP(S), S3, SFTP and HDFS; and folders elsewhere on this machine.

    open_source(origin) ──▶ RemoteSource: look() what is there, open() the bytes of one version ──▶ download() whole or not at all

Lives here: one module per kind of source, which turns foreign exceptions into evidence, and the download that all share.
Must not live here: which partition a file stands for, when a source is looked at, what a failure leads to.
"""
