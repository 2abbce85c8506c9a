"""Helpers of the tests: workbooks made by code, a real PostgreSQL, a platform in a temporary home."""
