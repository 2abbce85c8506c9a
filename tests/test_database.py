"""PostgreSQL's failures on a real server: their codes, and that neither secrets nor cell values leave with them."""

from __future__ import annotations

import io
import threading
import traceback
from collections.abc import Iterator

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import make_url

from shp_core.codes import Code
from shp_core.errors import Fault, UsageError
from shp_resources.database import TEXT_LIMIT, address, evidence_of, make_engine, translate
from tests.support.ledgers import waiting_connections
from tests.support.postgres import rows
from tests.support.waiting import until


@pytest.fixture
def engine(database_dsn: str) -> Iterator[sa.Engine]:
    """Unpooled connections to a database of the test's own."""
    engine = make_engine(database_dsn, pooled=False)
    yield engine
    engine.dispose()


def _fault(engine: sa.Engine, *statements: str, system: str = "warehouse") -> Fault:
    with pytest.raises(Fault) as raised, translate(system), engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    return raised.value


def _shown(fault: Fault) -> str:
    """All that a log or the ledger can tell of a fault."""
    return "".join(traceback.format_exception(fault)) + str(fault.evidence) + str(fault.as_dict())


def _at(dsn: str, **parts: object) -> str:
    return make_url(dsn).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]


def _scalar(engine: sa.Engine, query: str) -> object:
    with engine.connect() as connection:
        return connection.execute(sa.text(query)).scalar_one()


# connecting


def test_making_an_engine_connects_to_nothing() -> None:
    """Loading the definitions without a database would fail."""
    make_engine("postgresql://nobody@127.0.0.1:1/nothing", pooled=True)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2", "postgresql+psycopg", "postgres"])
def test_every_usual_scheme_means_our_driver(scheme: str) -> None:
    """An address that works for other tools would ask for a driver that is not installed."""
    url = address(f"{scheme}://someone:word@db.example:5433/things")
    assert url.render_as_string(hide_password=False) == "postgresql+psycopg2://someone:word@db.example:5433/things"


@pytest.mark.parametrize("dsn", ["host=db password=sekret", "mysql://u:sekret@h/d", "sekret", "", "postgresql://u:sekret@h:port/d"])
def test_a_wrong_address_is_refused_without_repeating_it(dsn: str) -> None:
    """A typing error in the settings would print the password."""
    with pytest.raises(UsageError) as raised:
        make_engine(dsn, pooled=False)
    assert raised.value.code is Code.SETTINGS_INVALID
    shown = "".join(traceback.format_exception(raised.value)) + raised.value.next_step
    assert "sekret" not in shown


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TimeZone", "UTC"),
        ("application_name", "shp"),
        ("lock_timeout", "2min"),
        ("statement_timeout", "30min"),
        ("idle_in_transaction_session_timeout", "10min"),
    ],
)
def test_sessions_have_limits_and_speak_utc(engine: sa.Engine, setting: str, value: str) -> None:
    """A worker that hangs would hold its locks for ever, or times would be told in the server's zone."""
    assert _scalar(engine, f"select current_setting('{setting}')") == value


def test_what_the_address_says_wins(database_dsn: str) -> None:
    """An operator could not give the platform another limit or name."""
    mine = _at(database_dsn, query={"application_name": "mine", "options": "-c lock_timeout=5s"})
    engine = make_engine(mine, pooled=False)
    assert _scalar(engine, "select current_setting('application_name')") == "mine"
    assert _scalar(engine, "select current_setting('lock_timeout')") == "5s"
    assert _scalar(engine, "select current_setting('TimeZone')") == "UTC"


def test_a_pooled_engine_survives_a_restart_of_the_server(database_dsn: str) -> None:
    """The first call after a database restart would fail on a dead connection."""
    engine = make_engine(database_dsn, pooled=True)
    first = _scalar(engine, "select pg_backend_pid()")
    rows(database_dsn, "select pg_terminate_backend(%s)", first)
    assert _scalar(engine, "select pg_backend_pid()") != first
    engine.dispose()


def test_pooled_connections_are_used_again_and_others_are_not(database_dsn: str) -> None:
    """Each ledger call of a worker would pay for a new connection, or a daemon would keep stale ones."""
    pids: dict[bool, set[object]] = {}
    for pooled in (True, False):
        engine = make_engine(database_dsn, pooled=pooled)
        pids[pooled] = {_scalar(engine, "select pg_backend_pid()") for _ in range(3)}
        engine.dispose()
    assert (len(pids[True]), len(pids[False])) == (1, 3)


# failures, made on a real server


def test_nobody_listens() -> None:
    """A database that is down at start would look like a bug."""
    engine = make_engine("postgresql://someone:sekret@127.0.0.1:1/things", pooled=False)
    fault = _fault(engine, "select 1")
    assert (fault.code, fault.evidence.sqlstate, fault.evidence.system) == (Code.SINK_UNREACHABLE, "08001", "warehouse")
    assert "sekret" not in str(fault) + str(fault.evidence)
    assert "refused" in fault.message


def test_a_name_that_no_host_has() -> None:
    """A wrong host name would look like a bug."""
    fault = _fault(make_engine("postgresql://someone@nowhere.invalid/things", pooled=False), "select 1", system="ledger")
    assert fault.code is Code.LEDGER_UNREACHABLE


def test_an_unknown_database(database_dsn: str) -> None:
    """A wrong database name would be waited for as if it came back by itself."""
    fault = _fault(make_engine(_at(database_dsn, database="nowhere"), pooled=False), "select 1")
    assert (fault.code, fault.evidence.sqlstate) == (Code.SINK_REFUSED, "3D000")


def test_an_unknown_role(database_dsn: str) -> None:
    """A wrong user would be waited for as if it came back by itself."""
    fault = _fault(make_engine(_at(database_dsn, username="stranger", password="sekret"), pooled=False), "select 1")
    assert (fault.code, fault.evidence.sqlstate) == (Code.SINK_REFUSED, "28000")
    assert "sekret" not in "".join(traceback.format_exception(fault))


def test_a_database_that_lets_nobody_in_for_now(database_dsn: str) -> None:
    """A server that has no connection left would look like a bug although the next try works."""
    role = "crowded_" + str(make_url(database_dsn).database)
    rows(database_dsn, f"create role {role} login password 'sekret' connection limit 0")
    try:
        fault = _fault(make_engine(_at(database_dsn, username=role, password="sekret"), pooled=False), "select 1")
    finally:
        rows(database_dsn, f"drop role {role}")
    assert (fault.code, fault.evidence.sqlstate) == (Code.TRANSIENT, "53300")


def test_an_exhausted_pool_of_our_own(database_dsn: str) -> None:
    """More threads than connections would look like a bug."""
    engine = sa.create_engine(address(database_dsn), pool_size=1, max_overflow=0, pool_timeout=0.05)
    with engine.connect():
        fault = _fault(engine, "select 1")
    engine.dispose()
    assert fault.code is Code.TRANSIENT


def test_a_read_only_database(engine: sa.Engine) -> None:
    """A standby that took over, or a server that was made read-only, would look like a bug."""
    fault = _fault(engine, "set transaction read only", "create table t (a int)")
    assert (fault.code, fault.evidence.sqlstate) == (Code.SINK_UNREACHABLE, "25006")


def test_a_missing_right(database_dsn: str) -> None:
    """A revoked right would be retried instead of told."""
    role = "poor_" + str(make_url(database_dsn).database)
    rows(database_dsn, "create table closed (a int)")
    rows(database_dsn, f"create role {role} login password 'sekret'")
    try:
        fault = _fault(make_engine(_at(database_dsn, username=role, password="sekret"), pooled=False), "select * from closed")
    finally:
        rows(database_dsn, f"drop role {role}")
    assert (fault.code, fault.evidence.sqlstate) == (Code.SINK_REFUSED, "42501")
    assert "closed" in fault.message


def test_a_connection_that_dies_in_the_middle(engine: sa.Engine, database_dsn: str) -> None:
    """A database that is stopped during a load would look like a bug."""
    with pytest.raises(Fault) as raised, translate("warehouse"), engine.begin() as connection:
        pid = connection.execute(sa.text("select pg_backend_pid()")).scalar_one()
        rows(database_dsn, "select pg_terminate_backend(%s)", pid)
        connection.execute(sa.text("select 1"))
    assert raised.value.code is Code.TRANSIENT
    assert raised.value.evidence.sqlstate in ("57P01", "08006")  # as it happens


def test_a_lock_that_is_not_given_in_time(engine: sa.Engine, database_dsn: str) -> None:
    """Two loads at once would make one of them a bug instead of a later try."""
    rows(database_dsn, "create table busy (a int)")
    with engine.begin() as holder:
        holder.execute(sa.text("lock table busy in access exclusive mode"))
        fault = _fault(engine, "set local lock_timeout = '20ms'", "select * from busy")
    assert (fault.code, fault.evidence.sqlstate) == (Code.TRANSIENT, "55P03")


def test_a_statement_that_takes_too_long(engine: sa.Engine) -> None:
    """A time-out would look like a bug."""
    fault = _fault(engine, "set local statement_timeout = '20ms'", "select pg_sleep(5)")
    assert (fault.code, fault.evidence.sqlstate) == (Code.TRANSIENT, "57014")


def test_a_deadlock(engine: sa.Engine, database_dsn: str) -> None:
    """Two workers that cross would make one of them a bug instead of a later try."""
    rows(database_dsn, "create table crossing as select generate_series(1, 2) as a")
    update = "update crossing set a = a where a = {}"
    faults: list[Fault] = []

    def cross() -> None:
        try:
            with translate("warehouse"), engine.begin() as other:
                other.execute(sa.text(update.format(2)))
                other.execute(sa.text(update.format(1)))
        except Fault as fault:
            faults.append(fault)

    try:
        with translate("warehouse"), engine.begin() as mine:
            mine.execute(sa.text("set local deadlock_timeout = '50ms'"))
            mine.execute(sa.text(update.format(1)))
            thread = threading.Thread(target=cross)
            thread.start()
            until(lambda: waiting_connections(database_dsn) == 1)
            mine.execute(sa.text(update.format(2)))
    except Fault as fault:
        faults.append(fault)
    thread.join()
    assert [(fault.code, fault.evidence.sqlstate) for fault in faults] == [(Code.TRANSIENT, "40P01")]


def test_a_table_that_somebody_changed(engine: sa.Engine) -> None:
    """Somebody's DROP COLUMN would be reported as a bug of ours."""
    fault = _fault(engine, "create table t (a int)", "select b from t")
    assert (fault.code, fault.evidence.sqlstate) == (Code.TABLE_MISMATCH, "42703")


def test_psycopg2_itself_is_translated_too(database_dsn: str) -> None:
    """COPY goes past SQLAlchemy; its failures would be bugs."""
    with pytest.raises(Fault) as raised, translate("warehouse"):
        rows(database_dsn, "copy nowhere from stdin")
    assert raised.value.code is Code.TABLE_MISMATCH
    assert isinstance(raised.value.__cause__, psycopg2.Error)


# what leaves, and what does not


def test_the_foreign_error_is_the_cause(engine: sa.Engine) -> None:
    """Whoever debugs could not see what the database really said."""
    fault = _fault(engine, "select no_such_function()")
    assert isinstance(fault.__cause__, exc.ProgrammingError)
    assert fault.code is Code.CODE_BUG


PERSON = "Ja" + 'ne "Jay" Doe'  # in two pieces, so that a traceback's source lines do not show it


@pytest.mark.parametrize(
    "statement",
    [
        "select cast(:name as integer)",
        "select cast(:name as date)",
        "insert into people values (:name)",
        "insert into people values (null, :name)",
        "select :name from nowhere",
    ],
)
def test_cell_values_stay_in_the_database(engine: sa.Engine, statement: str) -> None:
    """A person's name from a cell would stand in logs and in the ledger."""
    with engine.begin() as connection:
        connection.execute(sa.text("create table people (name text primary key, other text)"))
        connection.execute(sa.text("insert into people values (:name)"), {"name": PERSON})
    with pytest.raises(Fault) as raised, translate("warehouse"), engine.begin() as connection:
        connection.execute(sa.text(statement), {"name": PERSON})
    assert "Doe" not in _shown(raised.value)
    assert isinstance(raised.value.__cause__, exc.DBAPIError)


def test_rows_that_copy_chokes_on_are_not_shown(database_dsn: str) -> None:
    """The row that a load stumbled over would stand in the log with everything in it."""
    rows(database_dsn, "create table people (name text, born date)")
    connection = psycopg2.connect(database_dsn)
    with pytest.raises(Fault) as raised, translate("warehouse"), connection.cursor() as cursor:
        cursor.copy_expert("copy people from stdin", io.StringIO(f"{PERSON}\t{PERSON}\n"))
    connection.close()
    assert "Doe" not in _shown(raised.value)
    assert raised.value.evidence.sqlstate == "22007"


@pytest.mark.parametrize(
    "message",
    [
        "cannot connect with password=sekret to host",
        "cannot connect with PASSWORD = 'sekret' to host",
        "postgresql://someone:sekret@db.example/things is away",
    ],
)
def test_secrets_in_a_message_are_masked(message: str) -> None:
    """A driver that repeats its address would leak the password into the ledger."""
    text = evidence_of(psycopg2.OperationalError(message), "ledger").text
    assert "sekret" not in text and "***" in text


def test_text_is_bounded_and_on_one_line() -> None:
    """A driver that talks much would fill the ledger."""
    text = evidence_of(psycopg2.OperationalError("first\nsecond\t" + "x" * 10_000), "ledger").text
    assert text.startswith("OperationalError: first second x") and len(text) == TEXT_LIMIT


@pytest.mark.parametrize(
    ("message", "sqlstate"),
    [
        ("FATAL:  password authentication failed for user", "28000"),
        ("FATAL:  no pg_hba.conf entry for host", "28000"),
        ("fe_sendauth: no password supplied", "28000"),
        ("FATAL:  permission denied for database", "42501"),
        ("FATAL:  the database system is starting up", "57P03"),
        ("FATAL:  the database system is shutting down", "57P03"),
        ("FATAL:  the database system is not yet accepting connections", "57P03"),
        ("FATAL:  sorry, too many clients already", "53300"),
        ("FATAL:  remaining connection slots are reserved", "53300"),
        ("server closed the connection unexpectedly", "08006"),
        ("could not receive data from server: Connection reset by peer", "08001"),
        ("timeout expired", "08001"),
        ("etwas in einer anderen Sprache", "08001"),
    ],
)
def test_what_libpq_says_without_a_state(message: str, sqlstate: str) -> None:
    """A server that starts up, or a wrong password, would be told as plain silence."""
    assert evidence_of(psycopg2.OperationalError(message), "ledger").sqlstate == sqlstate


@pytest.mark.parametrize("error", [Fault, KeyError, ValueError, KeyboardInterrupt])
def test_other_errors_pass_untouched(error: type[BaseException]) -> None:
    """An error of our own would lose its code, or a Ctrl-C would become a fault."""
    known: BaseException = error(Code.TRANSIENT, "x", evidence_of(ValueError("x"), "store")) if error is Fault else error("x")
    with pytest.raises(error) as raised, translate("ledger"):
        raise known
    assert raised.value is known
