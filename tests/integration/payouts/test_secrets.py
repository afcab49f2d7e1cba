"""The service's secrets: read from files, changed by a restart, and never said."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub

from devstack.access import Access
from servicekit.errors import LiaisonError
from services.payouts.settings import PayoutsSettings
from tests.integration.payouts.harness import Harness, usd
from tests.integration.payouts.process_control import (
    UNUSED_ADDRESS,
    environment_of,
    logged_address,
    start,
)
from tests.support.databases import Databases
from tests.support.serving import Served

SECRETS = (
    "LIAISON_DATABASE_URL",
    "LIAISON_DATABASE_OWNER_URL",
    "LIAISON_PAYPAL_CLIENT_ID",
    "LIAISON_PAYPAL_CLIENT_SECRET",
    "LIAISON_PAYPAL_WEBHOOK_ID",
)
SAID = "s3cret"
_PATIENCE_SECONDS = 40


@pytest.fixture
def environment(harness: Harness, databases: Databases, database_url: str) -> dict[str, str]:
    owner_url = databases.owner_url(database_url)
    return environment_of(harness, database_url) | {"LIAISON_DATABASE_OWNER_URL": owner_url}


@pytest.fixture
async def next_url(access: Access, database_url: str) -> AsyncIterator[str]:
    """The same database through a login that is new, with a password of its own."""
    name = f"next_{urlsplit(database_url).path.removeprefix('/')}"
    async with await psycopg.AsyncConnection.connect(
        access.administrator_url, autocommit=True
    ) as administrator:
        await administrator.execute(
            f"CREATE ROLE {name} LOGIN PASSWORD '{SAID}' IN ROLE liaison_payouts".encode()
        )
        try:
            host = urlsplit(database_url).netloc.rpartition("@")[2]
            yield urlsplit(database_url)._replace(netloc=f"{name}:{SAID}@{host}").geturl()
        finally:
            await administrator.execute(f"DROP ROLE {name}".encode())


def _moved_to(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """What the environment says but for the secrets, which lie in files as Kubernetes mounts them:
    behind links, with a line's end."""
    (folder / "..data").mkdir(parents=True)
    for name in SECRETS:
        (folder / "..data" / name.lower()).write_text(environment[name] + "\n")
        (folder / name.lower()).symlink_to(folder / "..data" / name.lower())
    told = {name: value for name, value in environment.items() if name not in SECRETS}
    return told | {"LIAISON_SECRETS_DIR": str(folder)}


async def _serves_and_pays(harness: Harness, environment: Mapping[str, str], payout: str) -> None:
    harness.lose_webhooks()
    process = await start(environment)
    try:
        served = Served(harness.served.access, await logged_address(process))
        worker = PayoutServiceStub(served.as_service())
        await worker.ReserveRewards(
            pb.ReserveRewardsRequest(
                brand="brands/acme",
                amount=usd(100),
                reservations=[
                    pb.RewardReservation(payout=f"payouts/{payout}", creator="creators/anna")
                ],
            )
        )
        sent = await worker.SendPayout(pb.SendPayoutRequest(name=f"payouts/{payout}", attempt=1))
        assert sent.attempts[0].state == pb.Attempt.STATE_ACCEPTED
        await served.close()
    finally:
        process.send_signal(signal.SIGTERM)
        _, output = await process.communicate()
    assert process.returncode == 0, output


async def test_every_secret_comes_from_a_file_and_a_new_one_with_a_restart(
    harness: Harness, environment: dict[str, str], next_url: str, tmp_path: Path
) -> None:
    await harness.deposit(100_000)
    await harness.creator("anna", "anna@example.com")
    told = _moved_to(tmp_path / "secrets", environment)
    await _serves_and_pays(harness, told, "p1")
    (tmp_path / "secrets" / "liaison_database_url").write_text(next_url)
    await _serves_and_pays(harness, told, "p2")


async def _output_of(environment: Mapping[str, str]) -> str:
    """Of a process that does not come to serve."""
    process = await start(environment | {"LIAISON_LOG_LEVEL": "DEBUG"})
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            _, output = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 1
    return output.decode()


@pytest.mark.parametrize("name", ["LIAISON_DATABASE_URL", "LIAISON_DATABASE_OWNER_URL"])
@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"postgresql://liaison_payouts:{SAID}@HOST/liaison", "password authentication failed"),
        (f"postgresql://liaison_payouts:{SAID}@{UNUSED_ADDRESS}/liaison", "Connection refused"),
        (f"liaison_payouts:{SAID}@HOST/liaison", "must look like postgresql://"),
        (f"postgresql://liaison_payouts:%zz{SAID}@HOST/liaison", "must look like postgresql://"),
        (f"postgresql://liaison_payouts:a@{SAID}@HOST/liaison", "must look like postgresql://"),
        (f"postgresql://liaison_payouts:{SAID}/a@HOST/liaison", "must look like postgresql://"),
    ],
)
async def test_a_database_that_lets_nobody_in_costs_no_password(
    environment: dict[str, str], name: str, url: str, words: str
) -> None:
    host = urlsplit(environment["LIAISON_DATABASE_URL"]).netloc.rpartition("@")[2]
    output = await _output_of(environment | {name: url.replace("HOST", host)})
    assert words in output
    assert SAID not in output


@pytest.mark.parametrize(
    "wrong",
    [
        {"LIAISON_LISTEN_ADDRESS": "nowhere"},
        {"LIAISON_PAYPAL_BASE_URL": f"https://liaison:{SAID}@api-m.paypal.com"},
        {"LIAISON_PAYPAL_CERTIFICATE_ORIGIN": f"https://{SAID}@paypal.com"},
    ],
)
async def test_a_setting_that_is_refused_tells_no_other(
    environment: dict[str, str], wrong: dict[str, str]
) -> None:
    output = await _output_of(environment | {"LIAISON_PAYPAL_CLIENT_SECRET": SAID} | wrong)
    (name,) = wrong
    assert name.removeprefix("LIAISON_").lower() in output
    for secret in (SAID, environment["LIAISON_DATABASE_URL"]):
        assert secret not in output


async def test_a_setting_that_is_missing_tells_no_other(environment: dict[str, str]) -> None:
    del environment["LIAISON_PAYPAL_WEBHOOK_ID"]
    output = await _output_of(environment | {"LIAISON_PAYPAL_CLIENT_SECRET": SAID})
    assert "paypal_webhook_id" in output
    assert SAID not in output
    assert environment["LIAISON_DATABASE_URL"] not in output


@pytest.mark.parametrize("paypal_url", ["", f"http://{UNUSED_ADDRESS}"])
async def test_a_paypal_that_lets_nobody_in_costs_no_secret(
    harness: Harness, environment: dict[str, str], paypal_url: str
) -> None:
    """Neither one that refuses the secret, nor one that is not there."""
    await harness.due("p1", "anna@example.com")
    process = await start(
        environment
        | {
            "LIAISON_LOG_LEVEL": "DEBUG",
            "LIAISON_PAYPAL_CLIENT_SECRET": SAID,
            "LIAISON_PAYPAL_BASE_URL": paypal_url or harness.settings.paypal_base_url,
        }
    )
    try:
        served = Served(harness.served.access, await logged_address(process))
        with pytest.raises(LiaisonError) as refusal:
            await PayoutServiceStub(served.as_service()).SendPayout(
                pb.SendPayoutRequest(name="payouts/p1", attempt=1)
            )
        await served.close()
    finally:
        process.send_signal(signal.SIGTERM)
        _, output = await process.communicate()
    assert SAID not in str(refusal.value)
    assert SAID.encode() not in output
    password = urlsplit(environment["LIAISON_DATABASE_URL"]).password
    assert password is not None
    assert password.encode() not in output


def test_settings_that_are_printed_show_no_secret(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (environment | {"LIAISON_PAYPAL_CLIENT_SECRET": SAID}).items():
        monkeypatch.setenv(name, value)
    settings = PayoutsSettings()  # type: ignore[call-arg]  # the environment fills it
    passwords = {str(urlsplit(environment[name]).password) for name in SECRETS[:2]}
    for text in (repr(settings), str(settings), str(settings.model_dump())):
        assert not any(secret in text for secret in (SAID, *passwords))
