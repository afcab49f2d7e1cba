"""Fixtures of the tests of reconciliation."""

import pytest
from liaison.payouts.v1 import payouts_pb2

from tests.integration.payouts.harness import Harness
from tests.integration.payouts.provider_reports import ChosenReports, choose_reports, payment


@pytest.fixture
async def paypal(harness: Harness) -> ChosenReports:
    return choose_reports(harness)


@pytest.fixture
async def paid(harness: Harness, paypal: ChosenReports) -> ChosenReports:
    """Reports of a PayPal that has paid p1."""
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until("p1", payouts_pb2.Payout.STATE_PAID)
    paypal.transactions.append(await payment(harness, "p1"))
    return paypal
