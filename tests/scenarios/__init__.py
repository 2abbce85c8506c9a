"""Stories of healing on a real instance with real PostgreSQL: a fault comes, is removed, and nobody lends a hand.

Each story observes states, runs and calls while the fault lasts, and proves the end by SQL.
"""
