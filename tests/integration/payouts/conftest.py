"""Fixtures of a payouts service on a real Postgres, with the real creators service and the PayPal
sandbox."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from devstack.access import Access
from servicekit.postgres.database import Database
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.scripted_paypal import Answer, Answering, Scripted, Send, starting
from tests.integration.payouts.serving import fresh_database, harness_of
from tests.integration.payouts.webhook_signing import Signer, certified
from tests.support.databases import Databases
from workflows.payout.providers import ProviderName


@pytest.fixture
async def database_url(databases: Databases) -> str:
    return await fresh_database(databases)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
async def owner(databases: Databases, database_url: str) -> AsyncIterator[Database]:
    """The same database, connected as the owner of its schema, who has every privilege."""
    async with Database(databases.owner_url(database_url), pool_size=1) as owner:
        yield owner


@pytest.fixture
async def harness(
    access: Access, databases: Databases, database: Database, tmp_path: Path
) -> AsyncIterator[Harness]:
    async with (
        Database(await databases.fresh("creators")) as creators,
        harness_of(access, database, creators, tmp_path) as harness,
    ):
        yield harness


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


@pytest.fixture
async def genuine(harness: Harness) -> AsyncIterator[tuple[Signer, str]]:
    """A signer that the service trusts as PayPal, and the URL of its certificate."""
    async with certified(harness, Signer()) as signer_and_url:
        yield signer_and_url


@pytest.fixture
async def answering(harness: Harness) -> AsyncIterator[Answering]:
    """Given PayPal's responses, returns a function that sends p1's first attempt."""
    await harness.due("p1", "anna@example.com")
    async with starting() as start:

        async def begin(*answers: Answer | None) -> Send:
            harness.providers[ProviderName.PAYPAL] = await start(Scripted(list(answers)))
            return lambda: harness.send_once("p1")

        yield begin
