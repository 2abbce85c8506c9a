"""What people and machines start: the Definitions, the command `shp`, the supervisor of the platform's processes.

Only `shp_ops.definitions` sees everything; nothing imports `shp_ops`.
"""
