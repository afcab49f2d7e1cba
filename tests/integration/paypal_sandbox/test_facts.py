"""Known behaviour of PayPal that payouts depend on, as emulated by the sandbox."""

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest

from devstack.paypal_sandbox.settings import Settings
from tests.integration.paypal_sandbox.client import Client, Receiver, eventually

DAY_SECONDS = 24 * 3600
RESULTS = {
    "UNCLAIMED": "unclaimed@example.com",
    "ONHOLD": "onhold@example.com",
    "BLOCKED": "blocked@example.com",
    "SUCCESS": "anna@example.com",
}


def grow_older(settings: Settings, days: float) -> None:
    """Moves the acceptance of all batches into the past by this much."""
    with closing(sqlite3.connect(settings.data_dir / "sandbox.sqlite3")) as books, books:
        books.execute("UPDATE batch SET created_at = created_at - ?", (days * DAY_SECONDS,))


class TestIds:
    async def test_a_used_sender_batch_id_is_refused_with_a_link_to_its_batch(
        self, paypal: Client
    ) -> None:
        created = await paypal.pay("anna@example.com", batch="po-1-1")
        refused = await paypal.pay("eve@example.com", batch="po-1-1", value="99.00", expect=400)
        assert refused["name"] == "USER_BUSINESS_ERROR"
        detail = refused["details"][0]
        assert detail["issue"] == "Batch with given sender_batch_id already exists"
        assert (await paypal.http.get(detail["link"][0]["href"])).json()["batch_header"][
            "payout_batch_id"
        ] == created["batch_header"]["payout_batch_id"]

    async def test_paypal_request_id_and_sender_item_id_prevent_no_duplicates(
        self, paypal: Client
    ) -> None:
        def order(batch: str) -> dict[str, object]:
            item = {
                "receiver": "anna@example.com",
                "amount": {"currency": "USD", "value": "10.00"},
                "sender_item_id": "the-same",
            }
            return {"sender_batch_header": {"sender_batch_id": batch}, "items": [item]}

        headers = {"PayPal-Request-Id": "the-same"}
        responses = [
            await paypal.http.post("/v1/payments/payouts", json=order(batch), headers=headers)
            for batch in ("po-1-1", "po-1-2")
        ]
        assert [response.status_code for response in responses] == [201, 201]
        ids = {response.json()["batch_header"]["payout_batch_id"] for response in responses}
        assert len(ids) == 2

    async def test_a_denied_batch_frees_its_id(self, paypal: Client) -> None:
        denied = await paypal.pay("denied@example.com", batch="po-1-1")
        await paypal.until(denied, "DENIED", "FAILED")
        await paypal.until(
            await paypal.pay("anna@example.com", batch="po-1-1"), "SUCCESS", "SUCCESS"
        )
        await paypal.pay("anna@example.com", batch="po-1-1", expect=400)

    async def test_an_id_is_guarded_for_thirty_days_and_no_longer(
        self, paypal: Client, settings: Settings
    ) -> None:
        await paypal.paid("anna@example.com", batch="po-1-1")
        grow_older(settings, 29.9)
        await paypal.pay("anna@example.com", batch="po-1-1", expect=400)
        grow_older(settings, 0.2)
        await paypal.pay("anna@example.com", batch="po-1-1")

    async def test_funds_are_checked_before_the_id(self, paypal: Client) -> None:
        await paypal.paid("anna@example.com", batch="po-1-1")
        await paypal.set_behaviour("anna@example.com", "INSUFFICIENT_FUNDS")
        refused = await paypal.pay("anna@example.com", batch="po-1-1", expect=422)
        assert refused["name"] == "INSUFFICIENT_FUNDS"

    async def test_too_many_posts_in_a_minute_are_refused(self, paypal: Client) -> None:
        await paypal.admin("PUT", "conditions", posts_a_minute=2)
        created = await paypal.pay("anna@example.com", batch="po-1-1")
        await paypal.pay("anna@example.com", batch="po-1-1", expect=400)
        refused = await paypal.pay("anna@example.com", batch="po-2-1", expect=429)
        assert refused["name"] == "RATE_LIMIT_REACHED"
        await paypal.until(created, "SUCCESS", "SUCCESS")
        await paypal.admin("PUT", "conditions")
        await paypal.pay("anna@example.com", batch="po-2-1")


class TestItems:
    async def test_a_batch_is_a_success_while_its_item_is_unclaimed(self, paypal: Client) -> None:
        created = await paypal.pay("unclaimed@example.com")
        batch = await paypal.until(created, "SUCCESS", "UNCLAIMED")
        assert batch["items"][0]["errors"]["name"] == "RECEIVER_UNREGISTERED"

    async def test_a_cancelled_item_is_returned_and_its_webhook_says_cancelled(
        self, paypal: Client, receiver: Receiver
    ) -> None:
        item = await paypal.paid("unclaimed@example.com", "po-1-1", "UNCLAIMED")
        cancelled = await paypal.cancel(item["payout_item_id"])
        assert cancelled["transaction_status"] == "RETURNED"
        event = await receiver.until("PAYMENT.PAYOUTS-ITEM.CANCELED")
        assert event["resource"]["transaction_status"] == "RETURNED"
        assert "PAYMENT.PAYOUTS-ITEM.RETURNED" not in receiver.types

    @pytest.mark.parametrize("status", ["SUCCESS", "ONHOLD", "BLOCKED"])
    async def test_only_an_unclaimed_item_can_be_cancelled(
        self, paypal: Client, status: str
    ) -> None:
        item = await paypal.paid(RESULTS[status], "po-1-1", status)
        refused = await paypal.cancel(item["payout_item_id"], expect=400)
        assert refused["name"] == "ITEM_INCORRECT_STATUS"

    async def test_the_first_of_a_claim_and_a_cancel_wins(self, paypal: Client) -> None:
        first, second = [
            (await paypal.paid("unclaimed@example.com", f"po-{number}-1", "UNCLAIMED"))[
                "payout_item_id"
            ]
            for number in (1, 2)
        ]
        await paypal.admin("POST", f"items/{first}", status="SUCCESS")
        refused = await paypal.cancel(first, expect=400)
        assert refused["name"] == "ITEM_INCORRECT_STATUS"
        await paypal.cancel(second)
        await paypal.admin("POST", f"items/{second}", expect=409, status="SUCCESS")

    async def test_a_cancel_with_a_lost_response_takes_effect(self, paypal: Client) -> None:
        item = await paypal.paid("cancel-drops-response@example.com", "po-1-1", "UNCLAIMED")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await paypal.cancel(item["payout_item_id"])
        assert (await paypal.item(item["payout_item_id"]))["transaction_status"] == "RETURNED"

    async def test_held_and_blocked_items_may_still_be_paid_or_fail(self, paypal: Client) -> None:
        for number, (was, becomes) in enumerate(
            [("ONHOLD", "SUCCESS"), ("ONHOLD", "BLOCKED"), ("BLOCKED", "FAILED")]
        ):
            item = await paypal.paid(RESULTS[was], f"po-{number}-1", was)
            await paypal.admin("POST", f"items/{item['payout_item_id']}", status=becomes)
            after = await paypal.item(item["payout_item_id"])
            assert (after["transaction_status"], "errors" in after) == (becomes, False)


class TestWebhooks:
    async def test_a_reversal_sends_no_event(self, paypal: Client, receiver: Receiver) -> None:
        reversed_, refunded = [
            (await paypal.paid("anna@example.com", f"po-{number}-1"))["payout_item_id"]
            for number in (1, 2)
        ]
        await paypal.admin("POST", f"items/{reversed_}", status="REVERSED")
        await paypal.admin("POST", f"items/{refunded}", status="REFUNDED")
        await receiver.until("PAYMENT.PAYOUTS-ITEM.REFUNDED")
        assert not any("REVERSED" in each for each in receiver.types)

    async def test_an_event_may_be_lost(self, paypal: Client, receiver: Receiver) -> None:
        item = await paypal.paid("anna@example.com", "po-1-1")
        path = f"items/{item['payout_item_id']}"
        await paypal.admin("POST", path, status="REFUNDED", sends_webhook=False)
        await paypal.paid("anna@example.com", "po-2-1")

        async def has_the_later_ones() -> bool:
            return Counter(receiver.types)["PAYMENT.PAYOUTSBATCH.SUCCESS"] == 2

        await eventually(has_the_later_ones)
        assert "PAYMENT.PAYOUTS-ITEM.REFUNDED" not in receiver.types

    async def test_an_event_may_be_sent_twice(self, paypal: Client, receiver: Receiver) -> None:
        await paypal.pay("anna@example.com")
        event = await receiver.until("PAYMENT.PAYOUTS-ITEM.SUCCEEDED")
        await paypal.admin("POST", f"events/{event['id']}", expect=204)

        async def has_come_twice() -> bool:
            return Counter(receiver.types)["PAYMENT.PAYOUTS-ITEM.SUCCEEDED"] == 2

        await eventually(has_come_twice)
        twice = [
            (headers["PAYPAL-TRANSMISSION-ID"], body)
            for headers, body in receiver.received
            if json.loads(body)["id"] == event["id"]
        ]
        assert twice[0] == twice[1]


class TestReports:
    async def test_a_payment_is_negative_with_a_separate_fee(self, paypal: Client) -> None:
        item = await paypal.paid("anna@example.com", "po-1-1")
        (line,) = await paypal.lines("T0001")
        assert line["transaction_id"] == item["transaction_id"]
        assert line["transaction_amount"] == {"currency_code": "USD", "value": "-10.00"}
        assert line["fee_amount"] == {"currency_code": "USD", "value": "-0.20"}
        assert (line["transaction_status"], line["custom_field"]) == ("S", "po-1-1-0")
        assert datetime.fromisoformat(line["transaction_initiation_date"]) < datetime.now(UTC)

    async def test_the_funds_of_a_batch_are_held_until_it_completes(self, paypal: Client) -> None:
        await paypal.paid("anna@example.com", "po-1-1")
        hold, end = await paypal.lines("T1503", "T1105")
        assert [hold["transaction_amount"]["value"], end["transaction_amount"]["value"]] == [
            "-10.20",
            "10.20",
        ]
        assert end["paypal_reference_id"] == hold["transaction_id"]
        assert end["paypal_reference_id_type"] == "TXN"

    async def test_unclaimed_money_is_deducted_and_returned_with_its_fee(
        self, paypal: Client
    ) -> None:
        item = await paypal.paid("unclaimed@example.com", "po-1-1", "UNCLAIMED")
        (pending,) = await paypal.lines("T0001", "T1114")
        assert pending["transaction_status"] == "P"
        await paypal.cancel(item["payout_item_id"])
        gone, back = await paypal.lines("T0001", "T1114")
        assert gone["transaction_status"] == "V"
        assert back["transaction_event_code"] == "T1114"
        assert back["paypal_reference_id"] == item["transaction_id"] == gone["transaction_id"]
        assert (back["transaction_amount"]["value"], back["fee_amount"]["value"]) == (
            "10.00",
            "0.20",
        )

    @pytest.mark.parametrize(("status", "code"), [("REFUNDED", "T1115"), ("REVERSED", "T1106")])
    async def test_the_fee_of_a_refund_or_reversal_is_not_returned(
        self, paypal: Client, status: str, code: str
    ) -> None:
        item = await paypal.paid("anna@example.com", "po-1-1")
        await paypal.admin("POST", f"items/{item['payout_item_id']}", status=status)
        gone, back = await paypal.lines("T0001", "T1114", "T1115", "T1106")
        assert (gone["transaction_status"], back["transaction_event_code"]) == ("V", code)
        assert "fee_amount" not in back

    async def test_lines_appear_late(self, paypal: Client) -> None:
        await paypal.paid("anna@example.com", "po-1-1")
        await paypal.admin("PUT", "conditions", reporting_lag_seconds=3 * 3600)
        assert await paypal.lines("T0001") == []
        await paypal.admin("PUT", "conditions")
        assert len(await paypal.lines("T0001")) == 1

    @pytest.mark.parametrize(
        ("query", "issue"),
        [
            ({"end_date": "2026-02-02T00:00:00Z"}, "31 days"),
            ({"start_date": "2026-01-02", "end_date": "2026-02-02T00:00:00Z"}, "time"),
            ({"page_size": "501"}, "500"),
            ({"page": "0"}, "1"),
            (
                {"start_date": "2099-01-01T00:00:00Z", "end_date": "2099-01-02T00:00:00Z"},
                "not avail",
            ),
            (
                {"start_date": "2001-01-01T00:00:00Z", "end_date": "2001-01-02T00:00:00Z"},
                "not avail",
            ),
        ],
    )
    async def test_a_report_covers_at_most_31_days_and_500_lines_a_page(
        self, paypal: Client, query: dict[str, str], issue: str
    ) -> None:
        window = {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-01-02T00:00:00Z"}
        response = await paypal.http.get("/v1/reporting/transactions", params=window | query)
        assert (response.status_code, response.json()["name"]) == (400, "INVALID_REQUEST")
        assert issue in response.json()["details"][0]["issue"]

    async def test_a_report_over_ten_thousand_lines_is_refused(self, paypal: Client) -> None:
        await asyncio.gather(
            *(paypal.admin("POST", "transactions", expect=201, amount="-1") for _ in range(3))
        )
        await paypal.admin("PUT", "conditions", report_line_limit=2)
        refused = await paypal.report(expect=400)
        assert refused["name"] == "RESULTSET_TOO_LARGE"
