"""Functions that numba compiles to native code; `library` keeps the result on disk.

Lives here: loops over bytes, with bounds checks, without Python objects, memory of their own or exceptions. Every array
comes from outside. Must not live here: anything that is not such a loop; importing this package imports numba, which
only compiling needs.
"""
