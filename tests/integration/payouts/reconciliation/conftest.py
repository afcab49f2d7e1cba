"""Fixtures of the tests of reconciliation."""

import pytest
from liaison.payouts.v1 import payouts_pb2

from tests.integration.payouts.harness import Harness
from tests.integration.payouts.provider_reports import Reporting, payment, reporting


@pytest.fixture
async def paypal(harness: Harness) -> Reporting:
    return reporting(harness)


@pytest.fixture
async def paid(harness: Harness, paypal: Reporting) -> Reporting:
    """p1 is paid, and reported."""
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until("p1", payouts_pb2.Payout.STATE_PAID)
    paypal.transactions.append(await payment(harness, "p1"))
    return paypal
