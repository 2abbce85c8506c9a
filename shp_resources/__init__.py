"""The outside, one file per outside system: settings, store, landing folder, ledger, warehouse, reader process.

Lives here: connections, files, processes, and the translation of foreign exceptions into `Evidence`.
Must not live here: rules about data, decisions about faults, anything of Dagster's graph.
"""
