"""The periodic checks find a ledger that does not balance, another database and waiting payouts."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2 import ResumePayoutsRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from structlog.testing import capture_logs

from devstack.access import Access
from servicekit import background
from servicekit.background import run_periodically
from servicekit.postgres.database import Database
from servicekit.timestamps import from_timestamp
from services.payouts.domain import State
from services.payouts.kill_switch import handlers as kill_switch_handlers
from services.payouts.kill_switch.handlers import KillSwitchHandlers
from services.payouts.kill_switch.store import KillSwitchStore
from services.payouts.ledger.store import Drift, LedgerStore
from services.payouts.monitoring import metrics, monitor
from services.payouts.monitoring.monitor import PayoutMonitor, check_ledger
from services.payouts.monitoring.queries import MonitoringQueries
from tests.integration.payouts.bulk_postings import superuser
from tests.integration.payouts.harness import Harness, eventually
from tests.integration.payouts.provider_reports import run
from tests.integration.payouts.sandbox_admin import use_account
from tests.support.serving import request_id
from workflows.payout.providers import ProviderName

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_BOTH, _CARRIED = Drift("USD", 14, 14), Drift("USD", 0, 5)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    for field, name in (
        ("_DRIFT", "drift"),
        ("_CARRIED_DRIFT", "carried_drift"),
        ("_LAST_LEDGER_CHECK", "last_check_time"),
    ):
        monkeypatch.setattr(metrics, field, meter.create_gauge(name))
    for module in (monitor, background):
        monkeypatch.setattr(module, "log", structlog.get_logger())  # uncached: logs are captured
    return reader


def _values(reader: InMemoryMetricReader) -> dict[tuple[str, str], float]:
    """Values by metric name and currency."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        (metric.name, point.attributes.get("currency", "")): point.value
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }


async def test_an_intact_ledger_balances(
    harness: Harness, database: Database, reader: InMemoryMetricReader
) -> None:
    await harness.deposit(50_000)
    await harness.reserve("p1")
    with capture_logs() as logs:
        await check_ledger(LedgerStore(database), lambda: NOW)
    assert not logs
    values = _values(reader)
    assert values["drift", "USD"] == values["carried_drift", "EUR"] == 0
    assert values["last_check_time", ""] == NOW.timestamp()


@pytest.mark.parametrize(
    ("statement", "drift"),
    [
        ("DELETE FROM entry WHERE owner = 'world'", Drift("USD", 50_000, 0)),
        ("UPDATE entry SET amount_minor = amount_minor + 7 WHERE kind = 'available'", _BOTH),
        ("UPDATE account SET balance_minor = balance_minor + 5 WHERE kind = 'available'", _CARRIED),
        # Two differences that cancel out count as two.
        (
            "UPDATE account SET balance_minor = balance_minor"
            " + CASE kind WHEN 'available' THEN 5 ELSE -5 END WHERE balance_minor IS NOT NULL",
            Drift("USD", 0, 10),
        ),
        ("TRUNCATE entry", Drift("USD", 0, 50_000)),
    ],
)
async def test_changes_with_triggers_disabled_are_found(
    access: Access,
    harness: Harness,
    database: Database,
    reader: InMemoryMetricReader,
    statement: str,
    drift: Drift,
) -> None:
    await harness.deposit(50_000)
    await harness.reserve("p1")
    async with superuser(access, database) as connection:
        await connection.execute(statement)  # type: ignore[call-overload]  # a test's own statement
    with capture_logs() as logs:
        await check_ledger(LedgerStore(database), lambda: NOW)
    assert [entry["log_level"] for entry in logs] == ["critical"]
    values = _values(reader)
    assert values["drift", "USD"] == drift.sum_minor
    assert values["carried_drift", "USD"] == drift.carried_minor
    assert values["drift", "EUR"] == 0


async def test_a_failed_ledger_check_is_logged_and_repeated(
    database: Database, owner: Database, reader: InMemoryMetricReader
) -> None:
    await owner.execute("ALTER TABLE entry RENAME TO hidden")
    with capture_logs() as logs:
        async with run_periodically(
            "check_ledger",
            lambda: check_ledger(LedgerStore(database), lambda: NOW),
            interval_seconds=60,
        ):

            async def has_logged() -> bool:
                return bool(logs)

            await eventually(has_logged)
    assert [(entry["event"], entry["task"]) for entry in logs] == [
        ("periodic_task_failed", "check_ledger")
    ]
    assert ("last_check_time", "") not in _values(reader)


async def test_the_ledger_is_checked_periodically(
    database: Database, reader: InMemoryMetricReader
) -> None:
    seconds = itertools.count(1)

    async def has_checked_thrice() -> bool:
        return _values(reader).get(("last_check_time", ""), 0) >= 3

    ledger = LedgerStore(database)
    async with run_periodically(
        "check_ledger",
        lambda: check_ledger(ledger, lambda: datetime.fromtimestamp(next(seconds), UTC)),
        interval_seconds=0.01,
    ):
        await eventually(has_checked_thrice)


def _monitor(harness: Harness) -> PayoutMonitor:
    store = KillSwitchStore(harness.database)
    kill_switch = KillSwitchHandlers(store, harness.providers, lambda: NOW)
    queries = MonitoringQueries(harness.database)
    return PayoutMonitor(kill_switch, queries, harness.providers, lambda: NOW)


async def test_waiting_payouts_and_attempts_are_counted(harness: Harness) -> None:
    await harness.due("p1", "unclaimed@example.com")
    await harness.reserve("p2", "p3")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_UNCLAIMED)
    queries = MonitoringQueries(harness.database)
    waiting = await queries.payouts()
    assert {state: each.count for state, each in waiting.items()} == {
        State.UNCLAIMED: 1,
        State.RESERVED: 2,
    }
    assert await queries.attempts() == {}
    await harness.database.execute("UPDATE attempt SET state = 'BLOCKED'")
    (blocked,) = (await queries.attempts()).values()
    assert blocked.count == 1
    # The time of the first migration, and then of the last reconciliation.
    before = await queries.last_reconciliation(ProviderName.PAYPAL)
    done = await run(harness)
    after = await queries.last_reconciliation(ProviderName.PAYPAL)
    assert before.time < after.time
    assert after.time == from_timestamp(done.create_time)


async def test_mismatches_are_counted_until_payouts_are_resumed(harness: Harness) -> None:
    async def mismatches() -> int:
        queries = MonitoringQueries(harness.database)
        return (await queries.last_reconciliation(ProviderName.PAYPAL)).mismatch_count

    assert await mismatches() == 0
    for _ in range(2):
        await use_account(harness, 500)
        await run(harness)
    # The next check finds nothing new.
    await run(harness)
    assert await mismatches() == 2
    await harness.reconciler.ResumePayouts(
        ResumePayoutsRequest(reason="Investigated", request_id=request_id())
    )
    assert await mismatches() == 0


async def test_payouts_are_halted_in_another_database(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[Any] = []
    monkeypatch.setattr(metrics, "payouts_checked", lambda *values: recorded.append(values))
    monkeypatch.setattr(
        kill_switch_handlers, "log", structlog.get_logger()
    )  # uncached: logs are captured
    monitor_of_payouts = _monitor(harness)
    await monitor_of_payouts.check()
    await harness.database.execute(
        """
        INSERT INTO database_identity
            (system_identifier, timeline, database_oid, table_oid, create_time)
        SELECT system_identifier + 1, timeline, database_oid, table_oid, now()
          FROM database_identity
        """
    )
    with capture_logs() as logs:
        await monitor_of_payouts.check()
        await monitor_of_payouts.check()
    assert [each["event"] for each in logs] == ["payouts_halted"]
    assert [len(halts) for _, _, halts, *_ in recorded] == [0, 1, 1]
    _, _, (halt,), *_ = recorded[-1]
    assert "(server)" in halt.reason


async def test_a_failed_check_of_payouts_is_logged_and_repeated(
    harness: Harness, owner: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "log", structlog.get_logger())  # uncached: logs are captured
    await owner.execute("ALTER TABLE database_identity RENAME TO hidden")
    with capture_logs() as logs:
        async with run_periodically(
            "check_payouts", _monitor(harness).check, interval_seconds=0.01
        ):

            async def has_failed_twice() -> bool:
                return len(logs) >= 2

            await eventually(has_failed_twice)
    assert {(each["event"], each["task"]) for each in logs} == {
        ("periodic_task_failed", "check_payouts")
    }
