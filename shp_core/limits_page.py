"""The text of `docs/limits.md`, made from the limits of the intake and what their docstring says of them."""

from __future__ import annotations

import re
from dataclasses import fields
from inspect import cleandoc

from shp_core.limits import GIB, KIB, MIB, Limits

_HEAD = """\
# Limits of the intake

<!-- Generated from shp_core/limits.py; `make docs` writes it anew. -->

A file that reaches one of these is refused with the code `limit_reached`, whose message names the limit; the reading process's
memory and the time that it may keep others waiting have the codes `reader_out_of_memory` and `reader_timeout`. Each can be set in
`shp.yaml`, sizes with a unit (`limits: {source_bytes: 1 GiB}`); see [intake](intake.md) for where they are counted.

| limit | default | what is counted |
|---|---|---|
"""
_UNITS = (("GiB", GIB), ("MiB", MIB), ("KiB", KIB))
_ENTRY = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)


def limits_page() -> str:
    """The text of `docs/limits.md`."""
    return _HEAD + "".join(f"| `{name}` | {_shown(name, value)} | {told} |\n" for name, value, told in described())


def described() -> list[tuple[str, int | float, str]]:
    """Every limit with its default and its words, in the order of the class."""
    words = {name: " ".join(text.split()) for name, text in _ENTRY.findall(cleandoc(Limits.__doc__ or ""))}
    return [(item.name, getattr(Limits(), item.name), words[item.name]) for item in fields(Limits)]


def _shown(name: str, value: int | float) -> str:
    if name.endswith("_bytes"):
        unit, size = next(((unit, size) for unit, size in _UNITS if value % size == 0), ("bytes", 1))
        return f"{value // size:,} {unit}"
    return f"{value:,.0f}"
