"""The graph in words: what a snapshot of the definitions holds, and how it is written anew.

`python -m tests.support.graphs` writes `tests/golden/graph.json` from the repository's feeds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg

from shp_core.feeds.load import load_catalogue
from shp_ops.definitions import build_definitions
from shp_resources.outside import Outside
from shp_resources.settings import Settings
from tests.support.holders import REPOSITORY

GOLDEN = REPOSITORY / "tests" / "golden" / "graph.json"
_FLEETING = ("description", "dagster/column_schema")


def describe(definitions: dg.Definitions) -> dict[str, Any]:
    """Keys, dependencies, groups, owners, kinds, checks, partitions and sensors."""
    graph = definitions.resolve_asset_graph()
    checks = [definitions.get_repository_def().asset_graph.get_check_spec(key) for key in sorted(graph.asset_check_keys)]
    return {
        "assets": {node.key.to_user_string(): _asset(node) for node in sorted(graph.asset_nodes, key=lambda node: node.key)},
        "checks": {f"{spec.asset_key.to_user_string()}:{spec.name}": spec.blocking for spec in checks},
        "sensors": {sensor.name: _sensor(sensor) for sensor in definitions.sensors or []},
    }


def of_repository(home: Path) -> dg.Definitions:
    """The definitions of the repository's own feeds; the home is never touched."""
    settings = Settings.load({"SHP_FEEDS": str(REPOSITORY / "feeds")}, home=home)
    return build_definitions(load_catalogue(settings.feeds, settings.marts).require_sound(), Outside(settings))


def _asset(node: Any) -> dict[str, Any]:
    partitions = node.partitions_def
    return {
        "deps": sorted(key.to_user_string() for key in node.parent_keys),
        "group": node.group_name,
        "owners": sorted(node.owners),
        "kinds": sorted(node.kinds),
        "tags": {name: value for name, value in node.tags.items() if not name.startswith("dagster/")},
        "described": bool(node.description),
        "columns": _columns(node.metadata.get("dagster/column_schema")),
        "metadata": {name: str(getattr(value, "value", value)) for name, value in node.metadata.items() if name not in _FLEETING},
        "partitions": str(partitions) if partitions is not None else None,
        "fresh": _fresh(node.freshness_policy),
    }


def _columns(value: Any) -> list[str] | None:
    schema = getattr(value, "schema", value)
    return [f"{column.name} {column.type}" for column in schema.columns] if schema else None


def _fresh(policy: Any) -> dict[str, str] | None:
    return {name: str(value) for name, value in vars(policy).items()} if policy else None


def _sensor(sensor: Any) -> dict[str, Any]:
    return {"default": sensor.default_status.value, "every": sensor.minimum_interval_seconds, "described": bool(sensor.description)}


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(describe(of_repository(Path("/nonexistent"))), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
