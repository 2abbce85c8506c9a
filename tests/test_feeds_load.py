"""Loading folders of feed and mart files: good ones stand, broken ones are told, none takes another down."""

from __future__ import annotations

from pathlib import Path

import pytest

from shp_core.errors import FeedFilesError
from shp_core.feeds.load import Catalogue, load_catalogue

GOOD = """
feed: {name}
owner: team:tests
columns: {{ID: {{type: integer}}, Day: {{type: date}}, Paid: {{type: money}}, Name: {{type: text}}}}
"""
TWIN = "{!r} would make a second column {!r} in the mart; remove it, or give the feed's column another `name`."


def folder(tmp_path: Path, feeds: dict[str, str], marts: dict[str, str] | None = None) -> Catalogue:
    """The catalogue of these files, by file name."""
    for kind, files in (("feeds", feeds), ("marts", marts or {})):
        (tmp_path / kind).mkdir()
        for name, text in files.items():
            (tmp_path / kind / name).write_text(text, encoding="utf-8")
    return load_catalogue(tmp_path / "feeds", tmp_path / "marts")


def good(name: str, more: str = "") -> str:
    """A sound feed file."""
    return GOOD.format(name=name) + more


def test_a_broken_file_takes_no_other_down(tmp_path: Path) -> None:
    """A typing mistake in one feed does not stop the others from being loaded."""
    catalogue = folder(
        tmp_path, {"a.yaml": good("a"), "b.yaml": "feed: [", "c.yaml": good("c"), "d.yaml": good("d").replace("money", "cash")}
    )
    assert list(catalogue.feeds) == ["a", "c"]
    assert [error.split(": ")[0] for error in catalogue.errors] == ["feeds/b.yaml", "feeds/d.yaml"]


def test_all_errors_of_all_files_at_once(tmp_path: Path) -> None:
    """`shp feeds check` needs to be run once, not once per mistake."""
    catalogue = folder(
        tmp_path,
        {"a.yaml": "feed: a\nkey: [x]\n", "b.yaml": good("b", "rules: {volume: loud}\n")},
        {"m.yaml": "mart: m\nfrom: nowhere\ngroup_by: [ID]\n", "n.yaml": "mart: n\nfrom: b\ngroup_by: []\nsums: []\n"},
    )
    with pytest.raises(FeedFilesError) as caught:
        catalogue.require_sound()
    assert caught.value.errors == [
        "feeds/a.yaml: owner: is missing; add it (E-mail address or team (`team:data`) that answers for the feed).",
        'feeds/a.yaml: columns: is missing; add it (Columns by header; "" is a column without a header).',
        "feeds/b.yaml: rules.volume: must be 'warn' or 'quarantine', not 'loud'.",
        "marts/n.yaml: group_by: must not be empty, not [].",
        "marts/n.yaml: sums: is not a known key here; did you mean `sum`?",
        "marts/m.yaml: from: there is no sound feed 'nowhere' (none at all).",
    ]


def test_a_sound_catalogue_passes(tmp_path: Path) -> None:
    """Good files are good."""
    catalogue = folder(tmp_path, {"a.yaml": good("a")}, {"m.yaml": "mart: m\nfrom: a\ngroup_by: [Name, {month: Day}]\nsum: [Paid, ID]\n"})
    assert catalogue.require_sound() is catalogue
    assert (list(catalogue.feeds), list(catalogue.marts)) == (["a"], ["m"])


def test_two_feeds_never_share_a_place(tmp_path: Path) -> None:
    """Two feeds cannot overwrite each other's table, view or folder."""
    lake = "sinks: {warehouse: {table: x}, lake: {path: p}}\n"
    catalogue = folder(
        tmp_path,
        {
            "a.yaml": good("a", lake),
            "b.yaml": good("b", lake),
            "c.yaml": good("c", "sinks: {warehouse: {table: x_filled}}\n"),
            "x.yaml": good("x"),
            "y.yaml": good("y", "sinks: {lake: {path: x}}\n"),
            "z.yaml": good("z", "sinks: {warehouse: {table: y}}\n"),
        },
    )
    assert list(catalogue.feeds) == ["a", "y"]
    assert catalogue.errors == [
        "feeds/b.yaml: sinks.warehouse.table: 'x' is already taken by feed 'a'; choose another.",
        "feeds/b.yaml: sinks.warehouse.table: 'x_filled' is already taken by feed 'a'; choose another.",
        "feeds/b.yaml: sinks.lake.path: 'p' is already taken by feed 'a'; choose another.",
        "feeds/c.yaml: sinks.warehouse.table: 'x_filled' is already taken by feed 'a'; choose another.",
        "feeds/x.yaml: sinks.warehouse.table: 'x' is already taken by feed 'a'; choose another.",
        "feeds/x.yaml: sinks.warehouse.table: 'x_filled' is already taken by feed 'a'; choose another.",
        "feeds/z.yaml: sinks.warehouse.table: 'y' is already taken by feed 'y'; choose another.",
        "feeds/z.yaml: sinks.warehouse.table: 'y_filled' is already taken by feed 'y'; choose another.",
    ]


def test_files_under_the_wrong_name(tmp_path: Path) -> None:
    """A feed in a .yml file is told instead of being passed over; editors' files are passed over."""
    catalogue = folder(tmp_path, {"a.yml": good("a"), ".#b.yaml": "rubbish", "b.yaml~": "rubbish", "README.md": "words"})
    assert catalogue.feeds == {}
    assert catalogue.errors == ["feeds/a.yml: is not read under this name; call it a.yaml."]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder, a dangling link or another encoding in the place of a file is an error of that file."""
    (tmp_path / "feeds" / "a.yaml").mkdir(parents=True)
    (tmp_path / "feeds" / "b.yaml").symlink_to("nowhere")
    (tmp_path / "feeds" / "c.yaml").write_bytes("feed: ü".encode("latin-1"))
    (tmp_path / "feeds" / "d.yaml").write_text(good("d"), encoding="utf-8")
    catalogue = load_catalogue(tmp_path / "feeds")
    assert list(catalogue.feeds) == ["d"]
    assert [error[:14] + error[14:].split("(")[0] for error in catalogue.errors] == [
        "feeds/a.yaml: cannot be read as UTF-8 text ",
        "feeds/b.yaml: cannot be read as UTF-8 text ",
        "feeds/c.yaml: cannot be read as UTF-8 text ",
    ]


def test_a_missing_folder_is_an_error_and_missing_marts_are_none(tmp_path: Path) -> None:
    """A wrong SHP_FEEDS is told; an installation without marts is fine."""
    catalogue = load_catalogue(tmp_path / "feeds", tmp_path / "marts")
    assert catalogue.errors == ["feeds/: the folder is missing; make it and put one YAML file per feed into it."]


@pytest.mark.parametrize(
    ("mart", "problem"),
    [
        ("from: a\ngroup_by: [Nme]", "group_by: 'Nme' is not a column of feed 'a' (ID, Day, Paid, Name)."),
        ("from: a\ngroup_by: [{month: Name}]", "group_by: 'Name' is text; this needs date."),
        ("from: a\ngroup_by: [Name]\nsum: [Day]", "sum: 'Day' is date; this needs integer or bigint or decimal or money."),
        (
            "from: a\ngroup_by: [Name, Name]",
            TWIN.format("Name", "name"),
        ),
        (
            "from: a\ngroup_by: [ID]\nsum: [ID]",
            TWIN.format("ID", "id"),
        ),
        ("from: a\ngroup_by: [[Name]]", "group_by: must list headers or {month: header}, not ['Name']."),
        ("from: a\ngroup_by: [{year: Day}]", "group_by: must list headers or {month: header}, not {'year': 'Day'}."),
        ("from: a\ngroup_by: [Name]\non_incomplete: maybe", "on_incomplete: must be 'label' or 'hold', not 'maybe'."),
        ("group_by: [Name]", "from: is missing; add it (The feed it is made from)."),
    ],
)
def test_marts_that_do_not_fit(mart: str, problem: str, tmp_path: Path) -> None:
    """A mart over a column that is not there, or not a number, is told before anything runs."""
    catalogue = folder(tmp_path, {"a.yaml": good("a")}, {"m.yaml": f"mart: m\n{mart}\n"})
    assert catalogue.errors == [f"marts/m.yaml: {problem}"]
    assert catalogue.marts == {}


def test_the_committed_files_are_sound() -> None:
    """What the repository ships works."""
    root = Path(__file__).parent.parent
    catalogue = load_catalogue(root / "feeds", root / "marts").require_sound()
    assert list(catalogue.feeds) == ["sales", "stock"]
    assert list(catalogue.marts) == ["sales_by_country_month"]
