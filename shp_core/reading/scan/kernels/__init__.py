"""Functions that numba compiles to native code; `library` loads the result, `build` makes it.

Lives here: loops over bytes, with bounds checks, without Python objects, memory of their own or exceptions. Every array
comes from outside. Must not live here: anything that is not such a loop. All modules but `layout` import numba, which
only compiling needs.
"""
