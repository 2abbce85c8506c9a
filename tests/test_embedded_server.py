"""The embedded PostgreSQL: started by the first, ended by the last, and never losing a row."""

from __future__ import annotations

from tests.support.postgres import rows


def test_each_test_gets_an_empty_database(database_dsn: str) -> None:
    """Without it tests would see each other's rows and their results would mean nothing."""
    assert rows(database_dsn, "select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
    rows(database_dsn, "create table here (a int)")


def test_and_the_next_one_another(database_dsn: str) -> None:
    """Without it the table made above would still be there."""
    assert rows(database_dsn, "select to_regclass('here')") == [(None,)]
