"""The service's secrets: read from files at start, and never logged."""

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
HIDDEN_VALUE = "s3cret"
_EXIT_TIMEOUT_SECONDS = 40


@pytest.fixture
def environment(harness: Harness, databases: Databases, database_url: str) -> dict[str, str]:
    owner_url = databases.owner_url(database_url)
    return environment_of(harness, database_url) | {"LIAISON_DATABASE_OWNER_URL": owner_url}


@pytest.fixture
async def next_url(access: Access, database_url: str) -> AsyncIterator[str]:
    """The same database's URL with a new login and password."""
    name = f"next_{urlsplit(database_url).path.removeprefix('/')}"
    async with await psycopg.AsyncConnection.connect(
        access.administrator_url, autocommit=True
    ) as administrator:
        await administrator.execute(
            f"CREATE ROLE {name} LOGIN PASSWORD '{HIDDEN_VALUE}' IN ROLE liaison_payouts".encode()
        )
        try:
            host = urlsplit(database_url).netloc.rpartition("@")[2]
            yield urlsplit(database_url)._replace(netloc=f"{name}:{HIDDEN_VALUE}@{host}").geturl()
        finally:
            await administrator.execute(f"DROP ROLE {name}".encode())


def _moved_to(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the secrets, which are in files as Kubernetes mounts them: behind
    symbolic links, with a final newline."""
    (folder / "..data").mkdir(parents=True)
    for name in SECRETS:
        (folder / "..data" / name.lower()).write_text(environment[name] + "\n")
        (folder / name.lower()).symlink_to(folder / "..data" / name.lower())
    others = {name: value for name, value in environment.items() if name not in SECRETS}
    return others | {"LIAISON_SECRETS_DIR": str(folder)}


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


async def test_secrets_are_read_from_files_at_start(
    harness: Harness, environment: dict[str, str], next_url: str, tmp_path: Path
) -> None:
    await harness.deposit(100_000)
    await harness.creator("anna", "anna@example.com")
    settings = _moved_to(tmp_path / "secrets", environment)
    await _serves_and_pays(harness, settings, "p1")
    (tmp_path / "secrets" / "liaison_database_url").write_text(next_url)
    await _serves_and_pays(harness, settings, "p2")


async def _output_of(environment: Mapping[str, str]) -> str:
    """The output of a process that fails to start."""
    process = await start(environment | {"LIAISON_LOG_LEVEL": "DEBUG"})
    try:
        async with asyncio.timeout(_EXIT_TIMEOUT_SECONDS):
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
        (
            f"postgresql://liaison_payouts:{HIDDEN_VALUE}@HOST/liaison",
            "password authentication failed",
        ),
        (
            f"postgresql://liaison_payouts:{HIDDEN_VALUE}@{UNUSED_ADDRESS}/liaison",
            "Connection refused",
        ),
        (f"liaison_payouts:{HIDDEN_VALUE}@HOST/liaison", "must look like postgresql://"),
        (
            f"postgresql://liaison_payouts:%zz{HIDDEN_VALUE}@HOST/liaison",
            "must look like postgresql://",
        ),
        (
            f"postgresql://liaison_payouts:a@{HIDDEN_VALUE}@HOST/liaison",
            "must look like postgresql://",
        ),
        (
            f"postgresql://liaison_payouts:{HIDDEN_VALUE}/a@HOST/liaison",
            "must look like postgresql://",
        ),
    ],
)
async def test_a_failed_database_connection_logs_no_password(
    environment: dict[str, str], name: str, url: str, words: str
) -> None:
    host = urlsplit(environment["LIAISON_DATABASE_URL"]).netloc.rpartition("@")[2]
    output = await _output_of(environment | {name: url.replace("HOST", host)})
    assert words in output
    assert HIDDEN_VALUE not in output


@pytest.mark.parametrize(
    "wrong",
    [
        {"LIAISON_LISTEN_ADDRESS": "nowhere"},
        {"LIAISON_PAYPAL_BASE_URL": f"https://liaison:{HIDDEN_VALUE}@api-m.paypal.com"},
        {"LIAISON_PAYPAL_CERTIFICATE_ORIGIN": f"https://{HIDDEN_VALUE}@paypal.com"},
    ],
)
async def test_an_invalid_setting_logs_no_other_setting(
    environment: dict[str, str], wrong: dict[str, str]
) -> None:
    output = await _output_of(environment | {"LIAISON_PAYPAL_CLIENT_SECRET": HIDDEN_VALUE} | wrong)
    (name,) = wrong
    assert name.removeprefix("LIAISON_").lower() in output
    for secret in (HIDDEN_VALUE, environment["LIAISON_DATABASE_URL"]):
        assert secret not in output


async def test_a_missing_setting_logs_no_other_setting(environment: dict[str, str]) -> None:
    del environment["LIAISON_PAYPAL_WEBHOOK_ID"]
    output = await _output_of(environment | {"LIAISON_PAYPAL_CLIENT_SECRET": HIDDEN_VALUE})
    assert "paypal_webhook_id" in output
    assert HIDDEN_VALUE not in output
    assert environment["LIAISON_DATABASE_URL"] not in output


@pytest.mark.parametrize("paypal_url", ["", f"http://{UNUSED_ADDRESS}"])
async def test_a_failed_paypal_login_logs_no_secret(
    harness: Harness, environment: dict[str, str], paypal_url: str
) -> None:
    """A PayPal that refuses the secret, or cannot be reached."""
    await harness.due("p1", "anna@example.com")
    process = await start(
        environment
        | {
            "LIAISON_LOG_LEVEL": "DEBUG",
            "LIAISON_PAYPAL_CLIENT_SECRET": HIDDEN_VALUE,
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
    assert HIDDEN_VALUE not in str(refusal.value)
    assert HIDDEN_VALUE.encode() not in output
    password = urlsplit(environment["LIAISON_DATABASE_URL"]).password
    assert password is not None
    assert password.encode() not in output


def test_printed_settings_show_no_secret(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (environment | {"LIAISON_PAYPAL_CLIENT_SECRET": HIDDEN_VALUE}).items():
        monkeypatch.setenv(name, value)
    settings = PayoutsSettings()  # type: ignore[call-arg]  # the environment fills it
    passwords = {str(urlsplit(environment[name]).password) for name in SECRETS[:2]}
    for text in (repr(settings), str(settings), str(settings.model_dump())):
        assert not any(secret in text for secret in (HIDDEN_VALUE, *passwords))
