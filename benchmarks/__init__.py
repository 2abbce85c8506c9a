"""Workbooks made to measure, and what is measured on them.

Lives here: the generators of samples and big workbooks, the contenders of `make bench`, their harness and results.
Must not live here: anything the platform needs at run time; no platform package imports this one.
"""
