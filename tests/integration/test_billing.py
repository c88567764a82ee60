"""A closed month is billed once and stays as it was, whoever writes at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from prefect.logging import disable_run_logger
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, InternalError

from flows.close_billing_month import close_billing_month
from maos.billing import NotBilled, Statement
from maos.billing_months import BillingMonth
from maos.errors import BadInput, RunFailed
from sql import billing
from sql.audit import verify_chain
from sql.billing_check import unreconciled
from sql.organizations import ensure_organization
from sql.session import org_session, see_one_moment, system_session
from tasks.billing import check_billing, close_all, close_month, closed_statements, statement_of
from tests.billed_calls import JULY, JUNE, MAY, add_billed, add_correction, add_entries, call, entry
from tests.gates import rows, wait_for
from tests.rows import add_run

M5, M6, M7 = (BillingMonth.read(f"2026-0{month}") for month in (5, 6, 7))


@pytest.fixture(autouse=True)
def _machine_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(billing, "LONGEST_WAIT", "300s")


@pytest.fixture
def run_id(org_id: UUID) -> UUID:
    """A run of `demo` that calls are made in."""
    return add_run(org_id, rehearsal=False)


def _other() -> tuple[UUID, UUID]:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    return other, add_run(other, rehearsal=False)


def _shown(statement: Statement) -> list[tuple[Any, ...]]:
    return [
        (
            line.corrects,
            line.engine,
            line.action,
            line.unit,
            line.quantity,
            line.rate_usd,
            line.amount_usd,
            line.entries,
        )
        for line in statement.lines
    ]


def test_lines_are_by_engine_action_and_unit_and_every_line_says_its_rate(org_id: UUID, run_id: UUID) -> None:
    add_billed(org_id, run_id, "0.005", at=MAY)
    add_billed(org_id, run_id, "0.0055", at=MAY + timedelta(days=3), step="again")
    add_billed(org_id, run_id, "0.067", at=MAY, step="draw", engine_type="gemini_image", action="create_image")
    add_billed(org_id, run_id, "100", at=MAY, step="cut", engine_type="deep_agent", action="investigate")
    add_billed(org_id, run_id, "7", at=JUNE, step="june")

    shown = statement_of(org_id, M5)

    assert _shown(shown) == [
        (None, "illustrator", "create_image", "call", 1, Decimal("0.067"), Decimal("0.067"), 1),
        (None, "researcher", "investigate", "call at its ceiling", 1, 100, 100, 1),
        (None, "writer", "act", "million tokens", Decimal("0.003"), Decimal("3.5"), Decimal("0.0105"), 2),
    ]
    assert (shown.number, shown.reference, shown.entries) == (None, None, 4)
    assert shown.total_usd == Decimal("100.0775")


def test_totals_are_the_sum_of_the_settled_entries_to_the_last_digit(org_id: UUID, run_id: UUID) -> None:
    costs = ["0.00000001", "1234567.12345678", "0.99999999", "0.10000003", "0.33333333", "0.66666667"]
    for place, cost in enumerate(costs):
        add_billed(org_id, run_id, cost, at=MAY, step=f"s{place}", token_cost_estimate=Decimal(9_999_999))

    close_month(org_id, M5)

    ((ledger,),) = rows("SELECT sum(amount_usd) FROM usage_entries WHERE kind = 'settle'")
    stored = rows("SELECT total_usd, document ->> 'total_usd', document ->> 'payable_usd' FROM billing_statements")
    assert ledger == sum(map(Decimal, costs)) == Decimal("1234569.22345681")
    assert statement_of(org_id, M5).total_usd == ledger
    assert stored == [(ledger, "1234569.22345681", "1234569.22")]


def test_an_amount_of_the_last_digit_is_written_without_an_exponent(org_id: UUID, run_id: UUID) -> None:
    add_billed(org_id, run_id, "0.00000001", at=MAY)

    (closed,) = close_month(org_id, M5)

    assert closed.document()["total_usd"] == "0.00000001"
    assert statement_of(org_id, M5) == closed


def test_the_same_month_gives_the_same_statement_and_number(org_id: UUID, run_id: UUID) -> None:
    add_billed(org_id, run_id, "0.5", at=MAY)
    before = statement_of(org_id, M5)

    (closed,) = close_month(org_id, M5)
    again = close_month(org_id, M5)

    assert (before.number, closed.number, closed.reference) == (None, 1, "demo-0001")
    assert again == []
    assert statement_of(org_id, M5) == statement_of(org_id, M5) == closed
    assert closed_statements(M5) == [closed]
    ((digest, audited),) = rows(
        "SELECT s.digest, l.digest FROM billing_statements s, agent_action_audit_log l WHERE l.event = 'billing.closed'"
    )
    assert digest == audited == closed.digest
    with system_session() as session:
        assert verify_chain(org_id, session=session) == (1, None)


def test_months_are_closed_in_order_and_numbered_without_a_gap(org_id: UUID, run_id: UUID) -> None:
    for place, moment in enumerate((MAY, JULY)):
        add_billed(org_id, run_id, "1", at=moment, step=f"s{place}")

    assert close_month(org_id, M6)[0].month == "2026-05"
    assert [(each.month, each.number) for each in close_month(org_id, M7)] == [("2026-07", 2)]
    # Of June nothing was owed, and nothing can be any more.
    add_billed(org_id, run_id, "1", at=JUNE, step="late")

    assert close_month(org_id, M6) == []
    assert statement_of(org_id, M6).lines == ()
    assert [line.corrects for line in statement_of(org_id, BillingMonth.read("2026-08")).lines] == ["2026-06"]


def test_of_many_who_close_at_once_one_makes_the_statement(org_id: UUID, run_id: UUID) -> None:
    for place, moment in enumerate((MAY, MAY, JUNE)):
        add_billed(org_id, run_id, "1", at=moment, step=f"s{place}")

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: close_month(org_id, M6), range(8)))

    made = [(each.month, each.number) for closed in done for each in closed]
    assert sorted(made) == [("2026-05", 1), ("2026-06", 2)]
    assert rows("SELECT number FROM billing_closings ORDER BY month") == [(1,), (2,)]
    assert rows("SELECT count(*) FROM billing_statements") == [(2,)]
    assert rows("SELECT count(*) FROM agent_action_audit_log WHERE event = 'billing.closed'") == [(2,)]


def test_an_entry_that_is_being_written_while_a_month_is_closed_is_in_its_statement(org_id: UUID, run_id: UUID) -> None:
    add_billed(org_id, run_id, "1", at=MAY)
    closed: list[Statement] = []
    closer = threading.Thread(target=lambda: closed.extend(close_month(org_id, M5)))

    with org_session(org_id) as session:
        row = call(org_id, run_id, "0.25", at=MAY, step="meanwhile")
        session.add(row)
        session.flush()
        add_entries(row, at=MAY, session=session)
        closer.start()
        wait_for(lambda: rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
        assert closed == []
    closer.join(timeout=120)

    assert [each.total_usd for each in closed] == [Decimal("1.25")]
    assert check_billing() == []


def test_an_entry_that_does_not_come_to_its_end_leaves_the_month_open(
    org_id: UUID, run_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_billed(org_id, run_id, "1", at=MAY)
    monkeypatch.setattr(billing, "LONGEST_WAIT", "100ms")

    with org_session(org_id) as session:
        row = call(org_id, run_id, "0.25", at=MAY, step="hangs")
        session.add(row)
        session.flush()
        add_entries(row, at=MAY, session=session)
        with pytest.raises(NotBilled, match="an entry has been under way for 100ms"):
            close_month(org_id, M5)

    assert rows("SELECT count(*) FROM billing_closings") == [(0,)]
    assert [each.total_usd for each in close_month(org_id, M5)] == [Decimal("1.25")]


def test_whoever_writes_while_months_are_closed_every_entry_is_billed_once(org_id: UUID, run_id: UUID) -> None:
    add_billed(org_id, run_id, "0.001", at=MAY)
    last: list[datetime] = [MAY, JUNE, JULY]

    def write(place: int) -> None:
        add_billed(org_id, run_id, "0.001", at=last[place % 3], step=f"s{place}")

    with ThreadPoolExecutor(6) as pool:
        writing = [pool.submit(write, place) for place in range(60)]
        closing = [pool.submit(close_month, org_id, month) for month in (M5, M6, M5, M6, M7)]
        closed = [each for future in closing for each in future.result()]
        for future in writing:
            future.result()
    closed += close_month(org_id, M7)

    assert len({(each.month, each.number) for each in closed}) == len(closed)
    later = statement_of(org_id, BillingMonth.read("2026-08"))
    assert sum(each.entries for each in [*closed, later]) == 61
    assert sum((each.total_usd for each in [*closed, later]), Decimal(0)) == Decimal("0.061")
    assert check_billing() == []


def test_an_entry_of_a_closed_month_is_billed_in_the_next_open_one(org_id: UUID, run_id: UUID) -> None:
    add_billed(org_id, run_id, "1", at=MAY)
    close_month(org_id, M5)
    before = statement_of(org_id, M5)

    add_billed(org_id, run_id, "0.25", at=MAY, step="late")

    assert statement_of(org_id, M5) == before
    assert _shown(statement_of(org_id, M6)) == [
        ("2026-05", "writer", "act", "million tokens", Decimal("0.0015"), Decimal("166.66666667"), Decimal("0.25"), 1)
    ]


def test_a_correction_of_a_closed_month_is_shown_as_one_in_the_month_it_is_made_in(org_id: UUID, run_id: UUID) -> None:
    in_may = add_billed(org_id, run_id, "1", at=MAY)
    add_billed(org_id, run_id, "2", at=JUNE, step="june")
    close_month(org_id, M5)
    add_correction(org_id, run_id, in_may, "-0.4", at=MAY + timedelta(hours=1))
    add_correction(org_id, run_id, in_may, "0.1", at=JUNE, number=2)

    (june,) = close_month(org_id, M6)

    assert [line.amount_usd for line in june.usage] == [2]
    assert [(line.corrects, line.unit, line.quantity, line.amount_usd, line.entries) for line in june.corrections] == [
        ("2026-05", "correction", 2, Decimal("-0.3"), 2)
    ]
    assert (june.usage_usd, june.corrections_usd, june.total_usd) == (2, Decimal("-0.3"), Decimal("1.7"))
    assert statement_of(org_id, M5).total_usd == 1
    add_correction(org_id, run_id, in_may, "0.05", at=JUNE, number=3)
    assert [(line.corrects, line.amount_usd) for line in statement_of(org_id, M7).lines] == [
        ("2026-05", Decimal("0.05"))
    ]
    assert check_billing() == []


def test_a_correction_within_the_month_changes_the_price_of_what_was_used(org_id: UUID, run_id: UUID) -> None:
    in_may = add_billed(org_id, run_id, "0.006", at=MAY)
    add_correction(org_id, run_id, in_may, "-0.003", at=MAY)

    assert _shown(statement_of(org_id, M5)) == [
        (None, "writer", "act", "million tokens", Decimal("0.0015"), Decimal(2), Decimal("0.003"), 2)
    ]


def test_entries_of_another_organisation_are_never_in_a_statement(org_id: UUID, run_id: UUID) -> None:
    other, other_run = _other()
    add_billed(org_id, run_id, "1", at=MAY)
    add_billed(other, other_run, "50", at=MAY)

    done = close_all(M5)

    assert {(each.org, each.number, each.total_usd) for each in done.closed} == {("demo", 1, 1), ("other", 1, 50)}
    assert statement_of(org_id, M5).total_usd == 1
    with org_session(org_id) as session:
        assert session.scalar(text("SELECT count(*) FROM billing_statements")) == 1
        assert list(billing.entries_of(other, M5, session=session)) == []
        assert billing.lines_of(other, M5, session=session) == ()


def test_an_organisation_that_is_suspended_owes_what_it_used(org_id: UUID, run_id: UUID) -> None:
    add_billed(org_id, run_id, "1", at=MAY)
    with system_session() as session:
        session.execute(text("UPDATE organizations SET status = 'suspended'"))

    assert len(close_all(M5).closed) == 1


def test_a_month_that_has_not_ended_is_not_closed(org_id: UUID, run_id: UUID, database: str) -> None:
    add_billed(org_id, run_id, "1", at=datetime.now(UTC))
    this = BillingMonth(datetime.now(UTC).date().replace(day=1))

    with pytest.raises(BadInput, match="has ended"):
        close_month(org_id, this)
    with pytest.raises(BadInput, match="has begun"):
        statement_of(org_id, BillingMonth.read("2090-01"))
    with (
        pytest.raises(IntegrityError, match="billing_closings_check"),
        system_session() as session,
    ):
        billing.add_closing(org_id, this, session=session)
    assert database


def test_no_month_before_a_closed_one_can_be_closed(org_id: UUID, run_id: UUID) -> None:
    add_billed(org_id, run_id, "1", at=JUNE)
    close_month(org_id, M6)

    for month in (M5, M6):
        with pytest.raises(IntegrityError, match="closed already"), system_session() as session:
            billing.add_closing(org_id, month, session=session)


def test_a_closing_that_was_cut_off_is_finished_by_the_next(
    org_id: UUID, run_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_billed(org_id, run_id, "1", at=MAY)
    with monkeypatch.context() as dying:
        dying.setattr("tasks.billing._freeze", _die)
        with pytest.raises(KeyboardInterrupt):
            close_month(org_id, M5)
    add_billed(org_id, run_id, "0.25", at=MAY, step="late")
    between = statement_of(org_id, M5)

    (closed,) = close_month(org_id, M5)

    assert (between.number, between.total_usd) == (1, 1)
    assert closed == between == statement_of(org_id, M5)


def _die(*_: object) -> None:
    raise KeyboardInterrupt


_CHANGES = {
    "update": "UPDATE {table} SET month = month",
    "delete": "DELETE FROM {table}",
    "truncate": "TRUNCATE {table} CASCADE",
}


@pytest.mark.parametrize("role", ["maos_app", "maos_system", "maos_owner", "maos_client", "superuser"])
def test_closed_months_cannot_be_changed_by_any_role(org_id: UUID, run_id: UUID, database: str, role: str) -> None:
    add_billed(org_id, run_id, "1", at=MAY)
    close_month(org_id, M5)
    kept = rows("SELECT s.*, c.* FROM billing_statements s, billing_closings c")

    for table in ("billing_statements", "billing_closings"):
        for statement in _CHANGES.values():
            with psycopg.connect(database) as connection:
                if role != "superuser":
                    connection.execute(f"SET ROLE {role}".encode())
                connection.execute("SELECT set_config('app.org_id', %s, false)", [str(org_id)])
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RestrictViolation)):
                    connection.execute(statement.format(table=table).encode())
    assert rows("SELECT s.*, c.* FROM billing_statements s, billing_closings c") == kept


@pytest.mark.parametrize("table", ["billing_statements", "billing_closings"])
def test_only_housekeeping_may_close(database: str, table: str) -> None:
    with psycopg.connect(database) as connection:
        granted = connection.execute(
            "SELECT r || ' ' || p FROM unnest(ARRAY['maos_app', 'maos_system', 'maos_client']) r, "
            "unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p "
            f"WHERE has_table_privilege(r, '{table}', p) ORDER BY 1".encode()
        ).fetchall()

    assert [row[0] for row in granted] == ["maos_app SELECT", "maos_system INSERT", "maos_system SELECT"]


def test_the_application_cannot_choose_the_month_that_bills_an_entry(org_id: UUID, run_id: UUID) -> None:
    add_billed(org_id, run_id, "1", at=MAY)
    close_month(org_id, M5)
    with org_session(org_id) as session:
        row = call(org_id, run_id, "0.25", at=MAY, step="late")
        session.add(row)
        session.flush()
        forged = entry(org_id, run_id, row.id, "settle", Decimal("0.25"), at=MAY)
        forged.billing_month, forged.unit, forged.quantity, forged.engine = M5.first, "call", 99, "service"
        session.add_all([entry(org_id, run_id, row.id, "reserve", Decimal(100), at=MAY), forged])

    (late,) = statement_of(org_id, M6).lines
    assert (late.corrects, late.engine, late.quantity) == ("2026-05", "writer", Decimal("0.0015"))
    assert check_billing() == []


def test_a_transaction_that_could_overlook_a_closing_adds_no_entry(org_id: UUID, run_id: UUID) -> None:
    with system_session() as session:
        see_one_moment(session=session)
        row = call(org_id, run_id, "1", at=MAY)
        session.add(row)
        session.flush()
        with pytest.raises(InternalError, match="READ COMMITTED"), session.begin_nested():
            add_entries(row, at=MAY, session=session)


def test_a_month_whose_entries_do_not_agree_stays_open_and_keeps_no_other_from_it(
    org_id: UUID, run_id: UUID, database: str
) -> None:
    other, other_run = _other()
    wrong = add_billed(org_id, run_id, "1", at=MAY)
    add_billed(other, other_run, "2", at=MAY)
    add_billed(org_id, run_id, "3", at=MAY - timedelta(days=30), step="april")
    _tamper(database, f"UPDATE agent_invocations SET cost_usd = 0.9 WHERE id = '{wrong}'")

    done = close_all(M5)

    assert sorted((each.org, each.month) for each in done.closed) == [("demo", "2026-04"), ("other", "2026-05")]
    assert [f"invocation {wrong}: what was settled is not its cost" in str(each) for each in done.refused] == [True]
    with disable_run_logger(), pytest.raises(RunFailed, match="demo, 2026-05"):
        close_billing_month.fn()

    stored = rows("SELECT document ->> 'org', document ->> 'month' FROM billing_statements ORDER BY month")
    assert stored == [("demo", "2026-04"), ("other", "2026-05")]
    _tamper(database, f"UPDATE agent_invocations SET cost_usd = 1 WHERE id = '{wrong}'")
    with disable_run_logger():
        assert close_billing_month.fn() == ["demo-0002"]
        assert close_billing_month.fn() == []


def _tamper(address: str, statement: str) -> None:
    with psycopg.connect(address) as connection:
        # As whoever has the machine: no trigger and no constraint.
        connection.execute("SET session_replication_role = replica")
        connection.execute(statement.encode())


_SETTLED = "UPDATE usage_entries SET {} WHERE kind = 'settle'"
_CALL = "UPDATE agent_invocations SET {}"


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM usage_entries WHERE kind = 'reserve'", "nothing was reserved for it"),
        ("DELETE FROM usage_entries", "nothing was reserved for it"),
        ("DELETE FROM usage_entries WHERE kind = 'settle'", "it has ended and was not settled"),
        (_CALL.format("token_cost_estimate = 99"), "what was reserved is not its ceiling"),
        (_CALL.format("completed_at = NULL"), "it was settled and has not ended"),
        (_CALL.format("rehearsal = true"), "it is a rehearsal and was charged"),
        (_CALL.format("input_tokens = 1001"), "it is billed as something else"),
        (_SETTLED.format("amount_usd = 1.00000001"), "what was settled is not its cost"),
        (_SETTLED.format("run_id = gen_random_uuid()"), "an entry is of another run"),
        (_SETTLED.format("engine = 'service'"), "it is billed as something else"),
        (_SETTLED.format("action = 'other'"), "it is billed as something else"),
        (_SETTLED.format("quantity = 1"), "it is billed as something else"),
        (
            "UPDATE usage_entries SET kind = 'release', billing_month = NULL, engine = NULL, action = NULL, "
            "unit = NULL, quantity = NULL WHERE kind = 'settle'",
            "what was released is not its ceiling, or it has a cost",
        ),
        (
            "INSERT INTO usage_entries (org_id, run_id, invocation_id, kind, amount_usd, recorded_at) "
            "SELECT org_id, run_id, id, 'release', 1, now() FROM agent_invocations",
            "it was both settled and released",
        ),
        (
            "INSERT INTO usage_entries (org_id, run_id, invocation_id, kind, number, amount_usd, price_list, "
            "recorded_at, billing_month, engine, action, unit, quantity) SELECT org_id, run_id, id, 'correct', 2, 1, "
            "'x', now(), '2026-05-01', 'writer', 'act', 'token', 0 FROM agent_invocations",
            "its corrections are not one after another",
        ),
    ],
)
def test_the_check_finds_what_does_not_agree(
    org_id: UUID, run_id: UUID, database: str, statement: str, fault: str
) -> None:
    made = add_billed(org_id, run_id, "1", at=MAY)
    assert check_billing() == []

    _tamper(database, statement)

    assert [(each.org, each.invocation_id, each.fault) for each in check_billing()] == [("demo", made, fault)]
    with pytest.raises(NotBilled, match=fault.split(",")[0]):
        _close_somehow(org_id)


def _close_somehow(org_id: UUID) -> None:
    """Close May, or fail as closing would where nothing is billed in it any more."""
    if not close_month(org_id, M5):
        with system_session() as session:
            (found,) = unreconciled(org_id=org_id, month=M5, session=session)
        raise NotBilled("demo", "2026-05", found.fault)


def test_calls_that_cost_nothing_or_are_under_way_are_no_fault(org_id: UUID, run_id: UUID) -> None:
    with org_session(org_id) as session:
        free = call(org_id, run_id, "0", at=MAY, step="free", token_cost_estimate=Decimal(0))
        under_way = call(org_id, run_id, "0", at=MAY, step="going", status="running", output=None, completed_at=None)
        released = call(org_id, run_id, "0", at=MAY, step="released")
        session.add_all([free, under_way, released])
        session.flush()
        for row, kind in ((under_way, "reserve"), (released, "reserve"), (released, "release")):
            session.add(entry(org_id, run_id, row.id, kind, row.token_cost_estimate, at=MAY))
        released_id = released.id
    add_correction(org_id, run_id, released_id, "0.5", at=JUNE)

    assert check_billing() == []
    assert [line.corrects for line in statement_of(org_id, M6).lines] == ["2026-05"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_statements SET document = jsonb_set(document, '{total_usd}', '\"2.00000000\"')",
        "UPDATE billing_statements SET document = jsonb_set(document, '{lines,0,amount_usd}', '\"2.00000000\"')",
        "UPDATE billing_statements SET digest = repeat('0', 64)",
    ],
)
def test_a_statement_that_was_changed_is_found_and_not_shown(
    org_id: UUID, run_id: UUID, database: str, statement: str
) -> None:
    add_billed(org_id, run_id, "1", at=MAY)
    close_month(org_id, M5)

    _tamper(database, statement)

    with pytest.raises(NotBilled, match="not the one that was written"):
        statement_of(org_id, M5)
    assert [each.month for each in check_billing(org_id)] == ["2026-05"]


def test_entries_that_were_moved_out_of_a_closed_month_are_missed(org_id: UUID, run_id: UUID, database: str) -> None:
    add_billed(org_id, run_id, "1", at=MAY)
    add_billed(org_id, run_id, "1", at=MAY, step="moved")
    close_month(org_id, M5)

    _tamper(
        database,
        "UPDATE usage_entries SET billing_month = '2026-06-01' WHERE billing_month IS NOT NULL AND invocation_id IN "
        "(SELECT id FROM agent_invocations WHERE step_id = 'moved')",
    )

    assert [each.fault for each in check_billing()] == ["its entries do not add up to its statement"]


def test_closing_holds_up_no_writer_of_another_organisation(org_id: UUID, run_id: UUID) -> None:
    other, other_run = _other()
    add_billed(org_id, run_id, "1", at=MAY)

    with system_session() as session:
        billing.lock_billing(org_id, session=session)
        add_billed(other, other_run, "1", at=MAY)

    assert statement_of(other, M5).entries == 1
