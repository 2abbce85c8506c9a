"""The mart model: what one file `marts/<name>.yaml` may say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, field_validator

from shp_core.feeds.base import Strict, require_name, tell_all
from shp_core.feeds.model import Feed, column_name
from shp_core.feeds.names import table_name_problem


class Month(Strict):
    """Group by the month of a date column."""

    month: str = Field(description="Header of a date column.")


class Mart(Strict):
    """A roll-up of one feed that knows what is missing."""

    mart: str = Field(description="Name; the same as the file's.")
    owner: str | None = Field(None, description="Who answers for it; the feed's owner by default.")
    description: str | None = Field(None, description="What the mart is.")
    from_: str = Field(alias="from", description="The feed it is made from.")
    group_by: list[str | Month] = Field(min_length=1, description="Headers to group by; `{month: Order Date}` groups by month.")
    sum: list[str] = Field(default_factory=list, description="Headers of numeric columns to add up.")
    placeholders: bool = Field(False, description="Read what stands in for late partitions too (`placeholder_days` of the feed).")
    on_incomplete: Literal["label", "hold"] = Field("label", description="With partitions missing: label the result, or keep the last one.")

    @field_validator("mart")
    @classmethod
    def _mart(cls, value: str) -> str:
        return require_name(value, table_name_problem(value))

    @field_validator("group_by", mode="before")
    @classmethod
    def _groups(cls, value: object) -> object:
        odd = [item for item in value if not _is_group(item)] if isinstance(value, list) else []
        tell_all(f"must list headers or {{month: header}}, not {item!r}" for item in odd)
        return value

    def problems(self, feeds: Mapping[str, Feed]) -> list[str]:
        """What does not fit the feeds, a sentence each."""
        feed = feeds.get(self.from_)
        if feed is None:
            return [f"from: there is no sound feed {self.from_!r} ({', '.join(feeds) or 'none at all'})."]
        if self.placeholders and feed.partition.placeholder_days is None:
            return [f"placeholders: nothing stands in for late partitions of {self.from_!r}; give it `placeholder_days`, or remove this."]
        asked = [*self._groups_asked(), *(("sum", header, ("integer", "bigint", "decimal", "money")) for header in self.sum)]
        unfit = [problem for key, header, types in asked for problem in _header_problem(feed, key, header, types)]
        return unfit or list(self._twins(feed))

    def _groups_asked(self) -> list[_Asked]:
        return [("group_by", item.month, ("date",)) if isinstance(item, Month) else ("group_by", item, None) for item in self.group_by]

    def _twins(self, feed: Feed) -> Iterator[str]:
        """Columns of the mart that would have one name."""
        groups = [(item.month, "_month") if isinstance(item, Month) else (item, "") for item in self.group_by]
        taken = {"source_rows"}
        for header, suffix in [*groups, *((header, "") for header in self.sum)]:
            name = column_name(header, feed.columns[header]) + suffix
            if name in taken:
                yield f"{header!r} would make a second column {name!r} in the mart; remove it, or give the feed's column another `name`."
            taken.add(name)


_Asked = tuple[str, str, tuple[str, ...] | None]


def _is_group(item: object) -> bool:
    return isinstance(item, str | Month) or (isinstance(item, dict) and list(item) == ["month"] and isinstance(item["month"], str))


def _header_problem(feed: Feed, key: str, header: str, types: tuple[str, ...] | None) -> list[str]:
    column = feed.columns.get(header)
    if column is None or column.ignore:
        known = ", ".join(known for known, other in feed.columns.items() if not other.ignore)
        return [f"{key}: {header!r} is not a column of feed {feed.feed!r} ({known})."]
    if types and column.type not in types:
        return [f"{key}: {header!r} is {column.type}; this needs {' or '.join(types)}."]
    return []
