"""The feed model for editors (JSON schema) and for people (the tables of `docs/feeds.md`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from shp_core.feeds import page
from shp_core.feeds.alerting import AlertsSection, RouteSection
from shp_core.feeds.column import ONLY_FOR, Column
from shp_core.feeds.marts import Mart, Month
from shp_core.feeds.model import Calendar, Feed, LakeSink, Numbers, Partition, Rules, Sinks, Source, Targets, WarehouseSink
from shp_core.feeds.platform import PlatformFile, Profile, SourcesSection, limit_meanings
from shp_core.feeds.source import Fallback, Snapshot
from shp_core.feeds.sources_page import SOURCES
from shp_core.limits import GIB, KIB, MIB, Limits

_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("source", Source),
    ("source.fallbacks", Fallback),
    ("source.fallbacks.snapshot", Snapshot),
    ("partition", Partition),
    ("partition.calendar", Calendar),
    ("numbers", Numbers),
    ("rules", Rules),
    ("targets", Targets),
    ("sinks", Sinks),
    ("sinks.warehouse", WarehouseSink),
    ("sinks.lake", LakeSink),
)


def json_schema() -> dict[str, Any]:
    """The JSON schema of feed files, for editors that complete and check YAML."""
    schema = _plain(Feed.model_json_schema(by_alias=True))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "SHP feed file"}


def feeds_page() -> str:
    """The text of `docs/feeds.md`: an introduction by hand, tables from the models."""
    parts = [
        page.HEAD,
        "## Keys of a feed file\n",
        _table(Feed),
        "### A column\n",
        _column_table(),
        page.COLUMNS,
        *(f"### `{name}`\n\n{_table(model)}" for name, model in _SECTIONS),
        page.TIME,
        SOURCES,
        page.CSV,
        page.WHOLE,
        "## Marts\n",
        page.MARTS,
        _table(Mart),
        "An entry of `group_by` may also be a mapping:\n",
        _table(Month),
        "## The platform file `shp.yaml`\n",
        page.PLATFORM,
        _table(PlatformFile),
        "`alerts`, and a route of it:\n",
        _table(AlertsSection),
        _table(RouteSection),
        "A profile:\n",
        _table(Profile),
        "`sources`:\n",
        _table(SourcesSection),
        "Limits of the intake:\n",
        _limits_table(),
    ]
    return "\n".join(parts)


def _plain(schema: Any) -> Any:
    """A schema without the titles pydantic makes up and without nulls, which a file never needs to write."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _plain(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    if kept.get("default", 0) is None:
        del kept["default"]
    choices = [choice for choice in kept.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        del kept["anyOf"]
        return {**choices[0], **kept}
    return {**kept, "anyOf": choices} if choices else kept


def _table(model: type[BaseModel]) -> str:
    properties, required = _properties(model)
    rows = ((f"`{key}`", _kind(item), _default(item, key in required), meaning) for key, item, meaning in properties)
    return _markdown(("key", "value", "default", "meaning"), rows)


def _column_table() -> str:
    properties, _ = _properties(Column)
    rows = (
        (f"`{key}`", ", ".join(ONLY_FOR.get(key, ("all",))), _kind(item), _default(item, False), meaning)
        for key, item, meaning in properties
    )
    return _markdown(("key", "for types", "value", "default", "meaning"), rows)


def _limits_table() -> str:
    meanings = limit_meanings()
    rows = ((f"`{name}`", _amount(name, value), f"{meanings[name]}.") for name, value in asdict(Limits()).items())
    return _markdown(("limit", "default", "meaning"), rows)


def _amount(name: str, value: float) -> str:
    for unit, size in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if name.endswith("_bytes") and value % size == 0:
            return f"{value // size} {unit}"
    return f"{value:,g}" if isinstance(value, float) else f"{value:,}"


def _properties(model: type[BaseModel]) -> tuple[list[tuple[str, dict[str, Any], str]], list[str]]:
    """Key, schema and meaning of each field, and the required keys."""
    schema = _plain(model.model_json_schema(by_alias=True))
    meanings = {field.alias or name: field.description or "" for name, field in model.model_fields.items()}
    return [(key, item, meanings[key]) for key, item in schema["properties"].items()], schema.get("required", [])


def _kind(item: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "$ref" in item:
        return "keys, see below"
    if "anyOf" in item:
        kinds = [_kind(choice) for choice in item["anyOf"]]
        return " or ".join(kind for kind in kinds if kind != "text" or "date" not in kinds)
    for key in ("enum", "const"):
        if key in item:
            values = item[key] if key == "enum" else [item[key]]
            return " or ".join(f"`{value}`" if value else '`""`' for value in values)
    return _WORDS[item["type"]](item)


def _number(noun: str, item: dict[str, Any]) -> str:
    bounds = [f"{word} {item[key]}" for key, word in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to")) if key in item]
    return " ".join([noun, *bounds])


def _mapping(item: dict[str, Any]) -> str:
    return "headers, each with the keys of a column" if "header" in item.get("description", "") else "names, each with keys, see below"


_WORDS = {
    "string": lambda item: "date" if item.get("format") == "date" else "text",
    "integer": lambda item: _number("whole number", item),
    "number": lambda item: _number("number", item),
    "boolean": lambda item: "`true` or `false`",
    "array": lambda item: f"list of {_kind(item['items'])}",
    "object": _mapping,
}


def _default(item: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    default = item.get("default")
    if default is None or isinstance(default, dict | list):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(_lines(head, rows)) + "\n"


def _lines(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    titles = list(head)
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
