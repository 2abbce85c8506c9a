"""From the feed model to the compiled contract and its version."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from hashlib import sha256

from shp_core.contract.contract import Contract, ContractColumn
from shp_core.feeds.model import Column, Feed, column_name
from shp_core.feeds.names import clean_header

_NOT_IN_VERSION = ("feed", "version")
_NOT_IN_COLUMN_VERSION = ("pii", "description")


def compile_contract(feed: Feed) -> Contract:
    """The contract of a feed, with its version."""
    by_header = {header: column_name(header, column) for header, column in feed.columns.items()}
    fields = {
        "feed": feed.feed,
        "sheet": feed.source.sheet,
        "header": feed.source.header,
        "until": feed.source.until,
        "csv": feed.source.csv_form,
        "columns": tuple(_column(header, column) for header, column in feed.columns.items() if not column.ignore),
        "ignored": tuple(clean_header(header) for header, column in feed.columns.items() if column.ignore),
        "key": tuple(by_header[header] for header in feed.key),
        "decimal": feed.numbers.decimal,
        "group": feed.numbers.group,
        **feed.rules.model_dump(),
    }
    unversioned = Contract(**fields, version="")
    return Contract(**fields, version=_version(unversioned))


def _column(header: str, column: Column) -> ContractColumn:
    assert column.type is not None, "the model requires a type for every column that is not ignored"
    scaled = column.type in ("decimal", "money")
    return ContractColumn(
        header=clean_header(header),
        name=column_name(header, column),
        type=column.type,
        optional=column.optional,
        pii=column.pii,
        description=column.description or "",
        transforms=tuple(column.transform),
        formats=tuple(column.formats),
        scale=column.scale if scaled else 0,
        precision=column.precision if scaled else 0,
        currency=column.currency,
        bounds=(_bound(column.min), _bound(column.max)),
        allowed=tuple(str(item) for item in column.in_) if column.in_ is not None else None,
        pattern=column.pattern,
        max_length=column.max_length,
        aliases=tuple(clean_header(alias) for alias in column.aliases),
    )


def _bound(value: object) -> str | None:
    if value is None:
        return None
    return _plain(value) if isinstance(value, Decimal) else str(value)


def _plain(value: Decimal) -> str:
    """All digits and no trailing zeros (`normalize` would round to 28 digits), so that 0 and 0.00 are one bound."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _version(contract: Contract) -> str:
    """Hash of what counts; comments, owner, source, due time, sinks and the order of columns and allowed values do not."""
    content = {name: value for name, value in asdict(contract).items() if name not in _NOT_IN_VERSION}
    if contract.csv is None:  # feeds of workbooks keep the versions that they had before there were others
        del content["csv"]
    columns = [{name: value for name, value in column.items() if name not in _NOT_IN_COLUMN_VERSION} for column in content["columns"]]
    for column in columns:
        column["allowed"] = sorted(column["allowed"]) if column["allowed"] is not None else None
        column["aliases"] = sorted(column["aliases"])
        if not column["aliases"]:  # feeds without any keep the versions that they had before there were some
            del column["aliases"]
    content["columns"] = sorted(columns, key=lambda column: str(column["name"]))
    content["ignored"] = sorted(content["ignored"])
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:16]
