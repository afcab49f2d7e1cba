"""The PayPal sandbox over real HTTP: calls, behaviours, webhooks and restarts."""

import asyncio
import base64
import json
import os
import signal
import sys
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from devstack.child import launch_argv
from devstack.paypal_sandbox.settings import Settings
from devstack.paypal_sandbox.web.server import Sandbox
from devstack.ports import free_port
from tests.integration.paypal_sandbox.client import (
    CREDENTIALS,
    DEADLINE_SECONDS,
    ROOT,
    WEBHOOK_ID,
    Client,
    Receiver,
    eventually,
    listening,
    logged_in,
)


class TestAuthentication:
    async def test_wrong_credentials_get_no_token(self, paypal: Client) -> None:
        wrong = await paypal.http.post(
            "/v1/oauth2/token",
            auth=("client", "wrong"),
            data={"grant_type": "client_credentials"},
        )
        assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
        grant = await paypal.http.post(
            "/v1/oauth2/token", auth=CREDENTIALS, data={"grant_type": "password"}
        )
        assert (grant.status_code, grant.json()["error"]) == (400, "unsupported_grant_type")

    @pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic Y2xpZW50OnNlY3JldA=="])
    async def test_a_call_without_a_valid_token_is_refused(
        self, paypal: Client, header: str
    ) -> None:
        paypal.http.headers["Authorization"] = header
        refused = await paypal.batch("ANY", expect=401)
        assert refused["name"] == "AUTHENTICATION_FAILURE"

    async def test_a_token_expires(self, settings: Settings) -> None:
        brief = settings.model_copy(update={"token_seconds": 0.05})
        async with Sandbox(brief), logged_in(brief) as client:

            async def is_refused() -> bool:
                response = await client.http.get("/v1/payments/payouts/ANY")
                return response.status_code == 401

            await eventually(is_refused)


class TestPaying:
    async def test_a_payout_is_accepted_processed_and_paid(self, paypal: Client) -> None:
        created = await paypal.pay("anna@example.com", value="12.50")
        assert created["batch_header"]["batch_status"] == "PENDING"
        assert created["batch_header"]["sender_batch_header"]["sender_batch_id"] == "po-1-1"

        batch = await paypal.until(created, "SUCCESS", "SUCCESS")
        header, (item,) = batch["batch_header"], batch["items"]
        assert header["amount"] == {"currency": "USD", "value": "12.50"}
        assert header["fees"] == item["payout_item_fee"] == {"currency": "USD", "value": "0.25"}
        assert item["payout_item"]["amount"]["value"] == "12.50"
        assert item["payout_item"]["receiver"] == "anna@example.com"
        assert item["sender_batch_id"] == "po-1-1"
        assert await paypal.item(item["payout_item_id"]) == item
        (link,) = batch["links"]
        assert (await paypal.http.get(link["href"])).json() == batch

    async def test_items_are_paged(self, paypal: Client) -> None:
        created = await paypal.pay(*(f"a{i}@example.com" for i in range(5)))
        batch_id = created["batch_header"]["payout_batch_id"]
        page = await paypal.batch(batch_id, page=2, page_size=2, total_required="true")
        shown = [item["payout_item"]["receiver"] for item in page["items"]]
        assert shown == ["a2@example.com", "a3@example.com"]
        assert (page["total_items"], page["total_pages"]) == (5, 3)
        assert (await paypal.batch(batch_id, expect=400, page=0))["name"] == "VALIDATION_ERROR"

    async def test_a_bad_request_names_its_fields(self, paypal: Client) -> None:
        refused = await paypal.pay("anna@example.com", value="0.00", expect=400)
        assert refused["name"] == "VALIDATION_ERROR"
        assert [detail["field"] for detail in refused["details"]] == ["items[0].amount"]
        for content in (b"", b"{", b"[]", b'{"items": "\xff"}'):
            response = await paypal.http.post("/v1/payments/payouts", content=content)
            assert (response.status_code, response.json()["name"]) == (400, "VALIDATION_ERROR")

    async def test_unknown_resources_are_not_found(self, paypal: Client) -> None:
        for refused in (
            await paypal.batch("NONE", expect=404),
            await paypal.item("NONE", expect=404),
            await paypal.cancel("NONE", expect=404),
        ):
            assert refused["name"] == "RESOURCE_NOT_FOUND"
        assert (await paypal.http.get("/nowhere")).json()["name"] == "NOT_FOUND"

    async def test_simultaneous_duplicates_are_accepted_once(self, paypal: Client) -> None:
        body = {
            "sender_batch_header": {"sender_batch_id": "po-9-1"},
            "items": [
                {"receiver": "a@example.com", "amount": {"currency": "EUR", "value": "1.00"}}
            ],
        }
        posts = [paypal.http.post("/v1/payments/payouts", json=body) for _ in range(10)]
        responses = [response.status_code for response in await asyncio.gather(*posts)]
        assert sorted(responses) == [201] + [400] * 9


class TestBehaviours:
    async def test_a_late_failure_keeps_the_item_pending_until_then(
        self, paypal: Client, receiver: Receiver
    ) -> None:
        await paypal.set_behaviour("Bob@example.com", "FAILED_LATE", delay_seconds=0.2)
        accepted_at = time.monotonic()
        created = await paypal.pay("bob@example.com")
        await receiver.until("PAYMENT.PAYOUTSBATCH.PROCESSING")
        (item,) = (await paypal.until(created, "SUCCESS", "FAILED"))["items"]
        assert time.monotonic() - accepted_at > 0.2
        assert item["errors"]["name"] == "RECEIVER_ACCOUNT_LOCKED"
        assert item["payout_item_fee"]["value"] == "0.00"

    @pytest.mark.parametrize(
        ("payee", "status", "error"),
        [
            ("unclaimed@example.com", "UNCLAIMED", "RECEIVER_UNREGISTERED"),
            ("onhold@example.com", "ONHOLD", "TRANSACTION_HELD"),
            ("blocked@example.com", "BLOCKED", "TRANSACTION_BLOCKED"),
        ],
    )
    async def test_a_batch_succeeds_although_its_item_does_not(
        self, paypal: Client, payee: str, status: str, error: str
    ) -> None:
        batch = await paypal.until(await paypal.pay(payee), "SUCCESS", status)
        assert batch["items"][0]["errors"]["name"] == error

    async def test_returned_and_reversed_items(self, paypal: Client, receiver: Receiver) -> None:
        await paypal.set_behaviour("a@example.com", "REVERSED_LATE", delay_seconds=0.05)
        await paypal.set_behaviour("b@example.com", "RETURNED", delay_seconds=0.05)
        created = await paypal.pay("a@example.com", "b@example.com")
        await paypal.until(created, "SUCCESS", "REVERSED", "RETURNED")
        for event in ("SUCCEEDED", "UNCLAIMED", "RETURNED"):
            await receiver.until(f"PAYMENT.PAYOUTS-ITEM.{event}")
        assert not any("REVERSED" in event_type for event_type in receiver.types)

    async def test_a_denied_batch_frees_its_id(self, paypal: Client, receiver: Receiver) -> None:
        created = await paypal.pay("denied@example.com", "anna@example.com")
        batch = await paypal.until(created, "DENIED", "FAILED", "FAILED")
        assert batch["batch_header"]["fees"]["value"] == "0.00"
        await receiver.until("PAYMENT.PAYOUTSBATCH.DENIED")
        again = await paypal.pay("anna@example.com")
        await paypal.until(again, "SUCCESS", "SUCCESS")
        await paypal.pay("anna@example.com", expect=400)

    async def test_a_payout_with_a_dropped_response_is_accepted(self, paypal: Client) -> None:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await paypal.pay("drop-response@example.com")
        refused = await paypal.pay("drop-response@example.com", expect=400)
        first = await paypal.http.get(refused["details"][0]["link"][0]["href"])
        assert first.status_code == 200
        await paypal.until(first.json(), "SUCCESS", "SUCCESS")

    async def test_a_payout_with_a_server_error_is_accepted(self, paypal: Client) -> None:
        failed = await paypal.pay("error-500-after-accept@example.com", expect=500)
        assert failed["name"] == "INTERNAL_SERVER_ERROR"
        refused = await paypal.pay("error-500-after-accept@example.com", expect=400)
        assert refused["name"] == "USER_BUSINESS_ERROR"

    async def test_insufficient_funds_refuse_even_an_accepted_batch(self, paypal: Client) -> None:
        refused = await paypal.pay("insufficient-funds@example.com", expect=422)
        assert refused["name"] == "INSUFFICIENT_FUNDS"
        await paypal.pay("anna@example.com")
        await paypal.set_behaviour("anna@example.com", "INSUFFICIENT_FUNDS")
        await paypal.pay("anna@example.com", expect=422)
        assert (await paypal.http.delete("/admin/behaviours/anna@example.com")).is_success
        await paypal.pay("anna@example.com", expect=400)

    async def test_overrides_are_listed_and_validated(self, paypal: Client) -> None:
        await paypal.set_behaviour("A@example.com", "ONHOLD")
        listed = (await paypal.http.get("/admin/behaviours")).json()["behaviours"]
        assert [(o["receiver"], o["behaviour"]) for o in listed] == [("a@example.com", "ONHOLD")]
        wrong = await paypal.http.put(
            "/admin/behaviours/b@example.com", json={"behaviour": "EXPLODE"}
        )
        assert (wrong.status_code, wrong.json()["name"]) == (400, "VALIDATION_ERROR")
        assert (await paypal.http.delete("/admin/behaviours/b@example.com")).status_code == 404


class TestWebhooks:
    async def test_a_change_sends_a_signed_event(self, paypal: Client, receiver: Receiver) -> None:
        created = await paypal.pay("anna@example.com")
        event = await receiver.until("PAYMENT.PAYOUTS-ITEM.SUCCEEDED")
        await receiver.until("PAYMENT.PAYOUTSBATCH.SUCCESS")
        assert set(receiver.types) == {
            "PAYMENT.PAYOUTSBATCH.PROCESSING",
            "PAYMENT.PAYOUTS-ITEM.SUCCEEDED",
            "PAYMENT.PAYOUTSBATCH.SUCCESS",
        }
        assert event["resource_type"] == "payouts_item"
        assert event["resource"]["transaction_status"] == "SUCCESS"
        batch_id = created["batch_header"]["payout_batch_id"]
        assert event["resource"]["payout_batch_id"] == batch_id
        for headers, body in receiver.received:
            certificate = await paypal.http.get(headers["PAYPAL-CERT-URL"], headers={})
            verify(certificate.content, headers, body)

    async def test_a_delivery_is_repeated_until_it_succeeds(
        self, paypal: Client, receiver: Receiver
    ) -> None:
        receiver.statuses = [500, 302]
        await paypal.pay("anna@example.com")

        async def has_everything() -> bool:
            return len(receiver.received) == 5

        await eventually(has_everything)
        assert len({json.loads(body)["id"] for _, body in receiver.received}) == 3

        async def shows_nothing_waiting() -> bool:
            return "waiting" not in (await paypal.http.get("/")).text.split("</details>")[1]

        await eventually(shows_nothing_waiting)

    async def test_nothing_is_sent_without_a_url(
        self, settings: Settings, receiver: Receiver
    ) -> None:
        silent = settings.model_copy(update={"webhook_url": None})
        async with Sandbox(silent), logged_in(silent) as client:
            await client.until(await client.pay("anna@example.com"), "SUCCESS", "SUCCESS")
            assert "waiting" in (await client.http.get("/")).text.split("</details>")[1]
        assert not receiver.received


def verify(certificate: bytes, headers: dict[str, str], body: bytes) -> None:
    assert headers["PAYPAL-AUTH-ALGO"] == "SHA256withRSA"
    key = x509.load_pem_x509_certificate(certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    message = "|".join(
        [
            headers["PAYPAL-TRANSMISSION-ID"],
            headers["PAYPAL-TRANSMISSION-TIME"],
            WEBHOOK_ID,
            str(zlib.crc32(body)),
        ]
    )
    signature = base64.b64decode(headers["PAYPAL-TRANSMISSION-SIG"])
    key.verify(signature, message.encode(), padding.PKCS1v15(), hashes.SHA256())


class TestPage:
    async def test_it_shows_batches_and_escapes_them(self, paypal: Client) -> None:
        assert "No payout has been requested yet" in (await paypal.http.get("/")).text
        await paypal.pay("<script>@example.com", batch="<b>po</b>")
        await paypal.set_behaviour("bob@example.com", "ONHOLD", delay_seconds=4)
        page = await paypal.http.get("/?refresh=1")
        assert "&lt;script&gt;@example.com" in page.text
        assert "<script" not in page.text
        assert "<b>po</b>" not in page.text
        assert "bob@example.com" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]

    async def test_health(self, paypal: Client) -> None:
        assert (await paypal.http.get("/healthz")).json() == {"status": "ok"}


@asynccontextmanager
async def sandbox_process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *launch_argv([sys.executable, "-m", "devstack.paypal_sandbox"]),
        cwd=ROOT,
        env={
            **os.environ,
            "SANDBOX_ADDRESS": settings.address,
            "SANDBOX_PUBLIC_URL": settings.public_url,
            "SANDBOX_CLIENT_ID": settings.client_id,
            "SANDBOX_CLIENT_SECRET": settings.client_secret.get_secret_value(),
            "SANDBOX_WEBHOOK_URL": settings.webhook_url or "",
            "SANDBOX_WEBHOOK_ID": settings.webhook_id,
            "SANDBOX_DATA_DIR": str(settings.data_dir),
            "SANDBOX_STEP_SECONDS": str(settings.step_seconds),
        },
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def answers() -> bool:
        assert process.returncode is None
        async with httpx.AsyncClient() as http:
            try:
                return (await http.get(f"{settings.public_url}/healthz")).is_success
            except httpx.TransportError:
                return False

    try:
        await eventually(answers)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class TestRestart:
    async def test_a_killed_sandbox_continues_where_it_was(self, settings: Settings) -> None:
        receiver = Receiver(free_port())  # not listening yet
        settings = settings.model_copy(update={"webhook_url": receiver.url, "step_seconds": 0.01})
        async with sandbox_process(settings) as process, logged_in(settings) as paypal:
            await paypal.set_behaviour("bob@example.com", "FAILED_LATE", delay_seconds=1)
            accepted_at = time.monotonic()
            late = await paypal.pay("bob@example.com")
            paid = await paypal.until(
                await paypal.pay("anna@example.com", batch="po-2-1"), "SUCCESS", "SUCCESS"
            )
            token = paypal.http.headers["Authorization"]
            process.send_signal(signal.SIGKILL)
            await process.wait()

        async with listening(receiver), Sandbox(settings), logged_in(settings) as paypal:
            paypal.http.headers["Authorization"] = token
            assert await paypal.batch(paid["batch_header"]["payout_batch_id"]) == paid
            (override,) = (await paypal.http.get("/admin/behaviours")).json()["behaviours"]
            assert override["behaviour"] == "FAILED_LATE"
            await paypal.pay("anna@example.com", batch="po-2-1", expect=400)
            await paypal.until(late, "SUCCESS", "FAILED")
            assert time.monotonic() - accepted_at > 0.9
            await receiver.until("PAYMENT.PAYOUTS-ITEM.SUCCEEDED")
            failed = await receiver.until("PAYMENT.PAYOUTS-ITEM.FAILED")
            assert failed["resource"]["errors"]["name"] == "RECEIVER_ACCOUNT_LOCKED"

    async def test_it_stops_cleanly_when_asked(self, settings: Settings) -> None:
        async with sandbox_process(settings) as process:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), DEADLINE_SECONDS) == 0
