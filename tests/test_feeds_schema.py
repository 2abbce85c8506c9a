"""The JSON schema for editors and the page docs/feeds.md: both say what the model says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shp_core.feeds.load import load_catalogue, parse_file
from shp_core.feeds.marts import Mart
from shp_core.feeds.model import Column, Feed, Partition, Rules, Source
from shp_core.feeds.platform import load_platform
from shp_core.feeds.schema import feeds_page, json_schema
from shp_core.limits import Limits
from tests.support.generated import ROOT


def complaints(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """What an editor would underline: a small validator for the parts of JSON schema that our schema uses."""
    if "$ref" in schema:
        return complaints(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return [] if any(not complaints(value, choice, root) for choice in schema["anyOf"]) else [f"{value!r} fits no choice"]
    if "enum" in schema or "const" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{value!r} is not listed"]
    kinds: dict[str, type | tuple[type, ...]] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    if not isinstance(value, kinds.get(schema["type"], (int, float))):
        return [f"{value!r} is no {schema['type']}"]
    if isinstance(value, list):
        return [found for item in value for found in complaints(item, schema["items"], root)]
    if not isinstance(value, dict):
        return []
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    missing = [f"{key} is missing" for key in schema.get("required", []) if key not in value]
    unknown = [f"{key} is unknown" for key in value if key not in properties and others is False]
    schemas = {key: properties.get(key, others or {"type": "object"}) for key in value}
    inner = [found for key, item in value.items() for found in complaints(item, schemas[key], root)]
    return missing + (unknown or inner)


def editor(text: str) -> list[str]:
    """What an editor says about a feed file."""
    schema = json_schema()
    return complaints(yaml.safe_load(text), schema, schema)


@pytest.mark.parametrize("name", ["sales", "stock"])
def test_the_committed_feeds_fit_the_schema(name: str) -> None:
    """An editor does not underline a good file."""
    text = (ROOT / "feeds" / f"{name}.yaml").read_text(encoding="utf-8")
    assert editor(re.sub(r"(\d{4}-\d{2}-\d{2})", r'"\1"', text)) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("feed: a\nowner: b\n", "columns is missing"),
        ("feed: a\nowner: b\ncolums: {}\ncolumns: {}", "colums is unknown"),
        ("feed: a\nowner: b\ncolumns: {A: {type: txt}}", "'txt' is not listed"),
        ("feed: a\nowner: b\ncolumns: {A: {in_: [a]}}", "in_ is unknown"),
        ("feed: a\nowner: b\ncolumns: {A: {type: text}}\npartition: {by: year}", "'year' is not listed"),
        ("feed: a\nowner: b\ncolumns: {A: {type: text}}\nrules: {allow_empty: 1}", "1 is no boolean"),
    ],
)
def test_an_editor_sees_mistakes(text: str, complaint: str) -> None:
    """Mistakes are seen while typing."""
    assert complaint in editor(text)


def test_the_schema_names_every_key_with_its_meaning() -> None:
    """An editor completes every key and shows what it is for."""
    schema = json_schema()
    assert schema["$schema"].startswith("https://json-schema.org/")
    for model, described in ((Feed, schema), (Column, schema["$defs"]["Column"]), (Rules, schema["$defs"]["Rules"])):
        keys = {field.alias or name for name, field in model.model_fields.items()}
        assert set(described["properties"]) == keys
        assert described["additionalProperties"] is False
        assert all(field.description for field in model.model_fields.values())
    assert "'type': 'null'" not in str(schema)


def test_the_committed_page_is_the_generated_one() -> None:
    """The documentation never disagrees with the code."""
    assert (ROOT / "docs" / "feeds.md").read_text(encoding="utf-8") == feeds_page(), "run: python -m tests.support.generated"


def test_every_key_and_every_limit_stands_on_the_page() -> None:
    """Nothing that a file may say is undocumented."""
    page = feeds_page()
    for model in (Feed, Column, Source, Partition, Rules, Mart):
        for name, field in model.model_fields.items():
            assert re.search(rf"^\| `{field.alias or name}` \|.* \| .*[a-z].* \|$", page, re.MULTILINE), name
    for name in Limits().as_dict():
        assert re.search(rf"^\| `{name}` \| [0-9][0-9,]*(?: [KMG]iB)? \| .+\. \|$", page, re.MULTILINE), name


def test_the_examples_on_the_page_work(tmp_path: Path) -> None:
    """What people copy from the page is valid."""
    examples = [(text, yaml.safe_load(text)) for text in re.findall(r"```yaml\n(.*?)```", feeds_page(), re.DOTALL)]
    assert len(examples) == 6
    for folder, key in (("feeds", "feed"), ("marts", "mart")):
        (tmp_path / folder).mkdir()
        for text, data in examples:
            if key in data:
                (tmp_path / folder / f"{data[key]}.yaml").write_text(text, encoding="utf-8")
    catalogue = load_catalogue(tmp_path / "feeds", tmp_path / "marts").require_sound()
    assert (list(catalogue.feeds), list(catalogue.marts)) == (["prices", "stock", "tills", "visits"], ["stock_by_warehouse"])
    (tmp_path / "shp.yaml").write_text(examples[-1][0], encoding="utf-8")
    assert load_platform(tmp_path / "shp.yaml").intake_limits().source_bytes == 64 << 20


def test_the_types_on_the_page_are_those_of_the_model(tmp_path: Path) -> None:
    """The table of types lists every type that a column can have."""
    table = feeds_page().partition("| type | in PostgreSQL |")[2]
    listed = re.findall(r"^\| `(\w+)` \|", table.partition("\n\n")[0], re.MULTILINE)
    for type_ in listed:
        path = tmp_path / "a.yaml"
        path.write_text(f"feed: a\nowner: team:a\ncolumns: {{A: {{type: {type_}}}}}\n", encoding="utf-8")
        errors: list[str] = []
        assert parse_file(path, Feed, "feed", errors) is not None, errors
    assert listed == ["text", "integer", "bigint", "decimal", "money", "date", "timestamp", "boolean"]
