"""The mart model: what one file `marts/<name>.yaml` may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator

from shp_core.feeds.model import Feed, Strict
from shp_core.feeds.names import identifier_problem


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
    on_incomplete: Literal["label", "hold"] = Field("label", description="With partitions missing: label the result, or keep the last one.")

    @field_validator("mart")
    @classmethod
    def _mart(cls, value: str) -> str:
        problem = identifier_problem(value)
        if problem:
            raise ValueError(problem)
        return value

    def problems(self, feeds: Mapping[str, Feed]) -> list[str]:
        """What does not fit the feeds, a sentence each."""
        feed = feeds.get(self.from_)
        if feed is None:
            return [f"from: there is no sound feed {self.from_!r} ({', '.join(feeds) or 'none at all'})."]
        groups = [(item.month, ("date",)) if isinstance(item, Month) else (item, None) for item in self.group_by]
        sums = [(header, ("integer", "bigint", "decimal", "money")) for header in self.sum]
        return [problem for header, types in [*groups, *sums] for problem in _header_problem(feed, header, types)]


def _header_problem(feed: Feed, header: str, types: tuple[str, ...] | None) -> list[str]:
    column = feed.columns.get(header)
    if column is None or column.ignore:
        return [f"{header!r} is not a column of feed {feed.feed!r}."]
    if types and column.type not in types:
        return [f"{header!r} is {column.type}; this needs {' or '.join(types)}."]
    return []
