"""Fixtures: a running sandbox, a receiver of its webhooks, and an authenticated client."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from devstack.paypal_sandbox.settings import Settings
from devstack.paypal_sandbox.web.server import Sandbox
from devstack.ports import free_port
from tests.integration.paypal_sandbox.client import (
    CREDENTIALS,
    WEBHOOK_ID,
    Client,
    Receiver,
    listening,
    logged_in,
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening(Receiver(free_port())) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, receiver: Receiver) -> Settings:
    port = free_port()
    return Settings(
        address=f"127.0.0.1:{port}",
        public_url=f"http://127.0.0.1:{port}",
        client_id=CREDENTIALS[0],
        client_secret=SecretStr(CREDENTIALS[1]),
        webhook_url=receiver.url,
        webhook_id=WEBHOOK_ID,
        data_dir=tmp_path / "sandbox",
        step_seconds=0.01,
    )


@pytest.fixture
async def paypal(settings: Settings) -> AsyncIterator[Client]:
    async with Sandbox(settings), logged_in(settings) as client:
        yield client
