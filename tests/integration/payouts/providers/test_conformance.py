"""Checks every provider for what payouts rely on: PayPal in its sandbox, and bank transfers on a
real Postgres. See `drivers` for how to add a provider."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from servicekit.postgres.database import Database
from services.payouts.providers.interface import (
    AlreadyTaken,
    Item,
    NotCancellable,
    NothingTaken,
    NotReadable,
    Order,
    Report,
    Transaction,
)
from tests.integration.payouts.harness import eventually, utc_now
from tests.integration.payouts.providers.drivers import (
    DRIVERS,
    Driver,
    Environment,
    Outcome,
    may_always,
    may_never,
)
from workflows.payout.providers import ProviderName

IN_FLIGHT = ("PENDING", "ONHOLD")
INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture(params=list(ProviderName))
async def driver(
    request: pytest.FixtureRequest, database: Database, tmp_path: Path
) -> AsyncIterator[Driver]:
    async with DRIVERS[request.param](Environment(database, tmp_path / "provider")) as driver:
        yield driver


async def sent(driver: Driver, order: Order | None = None) -> str:
    return await driver.provider.send(order or driver.order(), may_always)


async def finished(driver: Driver, outcome: Outcome, order: Order | None = None) -> str:
    batch_id = await sent(driver, order)
    await driver.finish(batch_id, outcome)
    return batch_id


async def item_of(driver: Driver, batch_id: str) -> Item:
    (item,) = (await driver.provider.batch(batch_id)).items
    return item


async def test_an_id_is_accepted_once(driver: Driver) -> None:
    order = driver.order()
    batch_id = await sent(driver, order)
    for outcome in (None, Outcome.FAILED):
        if outcome:
            await driver.finish(batch_id, outcome)
        with pytest.raises(AlreadyTaken) as caught:
            await sent(driver, order)
        assert caught.value.batch_id == batch_id


async def test_one_of_many_concurrent_requests_is_accepted(driver: Driver) -> None:
    order = driver.order()
    answers = await asyncio.gather(*(sent(driver, order) for _ in range(5)), return_exceptions=True)
    (batch_id,) = [answer for answer in answers if isinstance(answer, str)]
    others = [answer for answer in answers if isinstance(answer, AlreadyTaken)]
    assert [other.batch_id for other in others] == [batch_id] * 4


async def test_a_sender_that_lost_its_fence_orders_nothing(driver: Driver) -> None:
    order = driver.order()
    with pytest.raises(NothingTaken) as caught:
        await driver.provider.send(order, may_never)
    assert caught.value.code == "FENCE_LOST"
    await sent(driver, order)


async def test_a_batch_shows_the_payment_in_flight(driver: Driver) -> None:
    order = driver.order()
    batch_id = await sent(driver, order)
    batch = await driver.provider.batch(batch_id)
    assert (batch.id, batch.sender_batch_id) == (batch_id, order.sender_batch_id)
    (item,) = batch.items
    assert (item.receiver, item.amount) == (order.receiver, order.amount)
    assert item.id
    assert item.state in IN_FLIGHT


async def test_a_successful_payment_has_its_fee_and_transaction(driver: Driver) -> None:
    batch_id = await sent(driver)
    before = await item_of(driver, batch_id)
    await driver.finish(batch_id, Outcome.SUCCESS)
    item = await item_of(driver, batch_id)
    assert (item.id, item.state, item.error_code) == (before.id, "SUCCESS", "")
    assert item.fee.amount_minor == driver.fee_minor
    assert item.transaction_id
    assert await item_of(driver, batch_id) == item


async def test_a_failed_payment_costs_nothing(driver: Driver) -> None:
    item = await item_of(driver, await finished(driver, Outcome.FAILED))
    assert (item.state, item.fee.amount_minor) == ("FAILED", 0)


async def test_an_unknown_batch_is_not_readable(driver: Driver) -> None:
    await sent(driver)
    with pytest.raises(NotReadable):
        await driver.provider.batch("NOT-THERE")


async def test_only_an_unclaimed_payment_can_be_cancelled(driver: Driver) -> None:
    batch_id = await sent(driver)
    item = await item_of(driver, batch_id)
    with pytest.raises(NotCancellable):
        await driver.provider.cancel(item.id)
    await driver.finish(batch_id, Outcome.SUCCESS)
    with pytest.raises(NotCancellable):
        await driver.provider.cancel(item.id)
    assert (await item_of(driver, batch_id)).state == "SUCCESS"


async def test_a_report_has_each_payment_once_and_none_that_failed(driver: Driver) -> None:
    begin = utc_now() - HOUR
    orders = [driver.order(), driver.order()]
    items = [
        await item_of(driver, await finished(driver, Outcome.SUCCESS, order)) for order in orders
    ]
    await finished(driver, Outcome.FAILED)
    report = await complete(driver, len(orders))
    assert [one.id for one in report.transactions] == [item.transaction_id for item in items]
    for one, order in zip(report.transactions, orders, strict=True):
        assert (one.sender_batch_id, one.amount) == (order.sender_batch_id, order.amount)
        assert (one.fee.currency, one.fee.amount_minor) == ("USD", driver.fee_minor)
        assert one.reverses_id == ""
        assert not one.is_pending
        assert begin < one.time < report.end_time <= utc_now() + HOUR


async def test_a_report_begins_at_its_start_and_ends_before_its_end(driver: Driver) -> None:
    await finished(driver, Outcome.SUCCESS)
    (one,) = (await complete(driver, 1)).transactions
    reports = driver.provider.report
    assert done(await reports(one.time, one.time + INSTANT)) == [one]
    assert done(await reports(one.time - HOUR, one.time)) == []
    assert done(await reports(one.time + INSTANT, utc_now() + HOUR)) == []


async def complete(driver: Driver, count: int) -> Report:
    """The report of all transactions, once it has `count`: it may lag behind."""
    begin = utc_now() - HOUR

    async def has_all() -> bool:
        report = await driver.provider.report(begin, utc_now() + HOUR)
        return len(done(report)) >= count and all(
            one.time < report.end_time for one in report.transactions
        )

    await eventually(has_all)
    return await driver.provider.report(begin, utc_now() + HOUR)


def done(report: Report) -> list[Transaction]:
    return [one for one in report.transactions if not one.is_pending]


def test_every_provider_has_a_driver() -> None:
    assert set(DRIVERS) == set(ProviderName)
