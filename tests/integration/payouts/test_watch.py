"""A ledger that does not add up any more is found, whoever went around the rules."""

import itertools
from datetime import UTC, datetime

import pytest
import structlog
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from structlog.testing import capture_logs

from devstack.access import Access
from servicekit.database import Database
from services.payouts import metrics, watch
from services.payouts.ledger import Drift, PostgresLedger
from services.payouts.watch import check, watching
from tests.integration.payouts.bulk import superuser
from tests.integration.payouts.house import House, eventually

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_BOTH, _CARRIED = Drift("USD", 14, 14), Drift("USD", 0, 5)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    for field, name in (
        ("_DRIFT", "drift"),
        ("_CARRIED_DRIFT", "carried_drift"),
        ("_CHECK", "check_time"),
    ):
        monkeypatch.setattr(metrics, field, meter.create_gauge(name))
    monkeypatch.setattr(watch, "log", structlog.get_logger())  # uncached: logs are captured
    return reader


def _measured(reader: InMemoryMetricReader) -> dict[tuple[str, str], float]:
    """By name and currency."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        (metric.name, point.attributes.get("currency", "")): point.value
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }


async def test_a_sound_ledger_adds_up(
    house: House, database: Database, reader: InMemoryMetricReader
) -> None:
    await house.deposit(50_000)
    await house.reserve("p1")
    with capture_logs() as logs:
        await check(PostgresLedger(database), lambda: NOW)
    assert not logs
    measured = _measured(reader)
    assert measured["drift", "USD"] == measured["carried_drift", "EUR"] == 0
    assert measured["check_time", ""] == NOW.timestamp()


@pytest.mark.parametrize(
    ("statement", "drift"),
    [
        ("DELETE FROM entry WHERE owner = 'world'", Drift("USD", 50_000, 0)),
        ("UPDATE entry SET amount_minor = amount_minor + 7 WHERE kind = 'available'", _BOTH),
        ("UPDATE account SET balance_minor = balance_minor + 5 WHERE kind = 'available'", _CARRIED),
        # Two that make up for each other are two.
        (
            "UPDATE account SET balance_minor = balance_minor"
            " + CASE kind WHEN 'available' THEN 5 ELSE -5 END WHERE balance_minor IS NOT NULL",
            Drift("USD", 0, 10),
        ),
        ("TRUNCATE entry", Drift("USD", 0, 50_000)),
    ],
)
async def test_what_was_done_with_triggers_off_is_found(
    access: Access,
    house: House,
    database: Database,
    reader: InMemoryMetricReader,
    statement: str,
    drift: Drift,
) -> None:
    await house.deposit(50_000)
    await house.reserve("p1")
    async with superuser(access, database) as connection:
        await connection.execute(statement)  # type: ignore[call-overload]  # a test's own text
    with capture_logs() as logs:
        await check(PostgresLedger(database), lambda: NOW)
    assert [entry["log_level"] for entry in logs] == ["critical"]
    measured = _measured(reader)
    assert measured["drift", "USD"] == drift.sum_minor
    assert measured["carried_drift", "USD"] == drift.carried_minor
    assert measured["drift", "EUR"] == 0


async def test_who_cannot_look_says_so_and_goes_on(
    database: Database, owner: Database, reader: InMemoryMetricReader
) -> None:
    await owner.execute("ALTER TABLE entry RENAME TO hidden")
    with capture_logs() as logs:
        async with watching(PostgresLedger(database), lambda: NOW):

            async def has_looked() -> bool:
                return bool(logs)

            await eventually(has_looked)
    assert [entry["event"] for entry in logs] == ["ledger_check_failed"]
    assert ("check_time", "") not in _measured(reader)


async def test_the_watch_looks_again_and_again(
    database: Database, reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_INTERVAL_SECONDS", 0.01)
    seconds = itertools.count(1)

    async def has_looked_thrice() -> bool:
        return _measured(reader).get(("check_time", ""), 0) >= 3

    async with watching(
        PostgresLedger(database), lambda: datetime.fromtimestamp(next(seconds), UTC)
    ):
        await eventually(has_looked_thrice)
