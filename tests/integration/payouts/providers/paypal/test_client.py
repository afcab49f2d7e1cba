"""How the client reads PayPal's responses, over HTTP from a server that scripts them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from devstack.ports import free_port
from servicekit.money import Money
from services.payouts.providers.interface import (
    FENCE_LOST,
    AlreadyTaken,
    NotCancellable,
    NothingTaken,
    NotReadable,
    Order,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Report,
)
from services.payouts.providers.paypal import client as paypal_client
from services.payouts.providers.paypal.client import PaypalProvider, http_client
from tests.integration.payouts.harness import paypal_settings
from tests.integration.payouts.scripted_paypal import (
    CREATED,
    DUPLICATE,
    Answer,
    Scripted,
    Start,
    starting,
)


async def may_post() -> bool:
    return True


START, END = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 8, tzinfo=UTC)
ORDER = Order("po-p1-1", "anna@example.com", Money("USD", 1050))


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with starting() as start:
        yield start


async def test_an_order_is_one_batch_of_one_item(start: Start) -> None:
    scripted = Scripted([(201, CREATED | {"of_tomorrow": True})])
    paypal = await start(scripted)
    assert await paypal.send(ORDER, may_post) == "B1"
    assert scripted.bodies == [
        {
            "sender_batch_header": {
                "sender_batch_id": "po-p1-1",
                "email_subject": "You have received a reward",
            },
            "items": [
                {
                    "recipient_type": "EMAIL",
                    "receiver": "anna@example.com",
                    "amount": {"currency": "USD", "value": "10.50"},
                    "sender_item_id": "po-p1-1",
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((400, {"name": "VALIDATION_ERROR", "details": [{"field": "x"}]}), Rejected),
        ((403, {"name": "AUTHORIZATION_ERROR"}), Rejected),
        ((403, {"name": "SENDER_RESTRICTED"}), Rejected),
        ((400, DUPLICATE), AlreadyTaken),
        ((422, {"name": "INSUFFICIENT_FUNDS"}), NothingTaken),
        ((429, {"name": "RATE_LIMIT_REACHED"}), NothingTaken),
        ((429, b"slow down"), NothingTaken),
        ((401, {"name": "AUTHENTICATION_FAILURE"}), NothingTaken),
        (None, OutcomeUnknown),
        ((500, {"name": "INTERNAL_SERVER_ERROR"}), OutcomeUnknown),
        ((504, b""), OutcomeUnknown),
        ((201, b"<html>"), OutcomeUnknown),
        ((201, {}), OutcomeUnknown),
        ((201, {"batch_header": []}), OutcomeUnknown),
        ((200, CREATED), OutcomeUnknown),
        ((302, b""), OutcomeUnknown),
        ((400, b"text of a proxy"), OutcomeUnknown),
        ((403, b"text of a firewall"), OutcomeUnknown),
        ((404, {"name": "RESOURCE_NOT_FOUND"}), OutcomeUnknown),
    ],
)
async def test_each_response_to_a_send_has_its_error(
    start: Start, answer: Answer | None, expected: type[ProviderError]
) -> None:
    paypal = await start(Scripted([answer]))
    with pytest.raises(expected) as caught:
        await paypal.send(ORDER, may_post)
    assert type(caught.value) is expected


async def test_a_response_with_another_id_is_an_unknown_outcome(start: Start) -> None:
    header = CREATED["batch_header"] | {"sender_batch_header": {"sender_batch_id": "po-p2-1"}}
    paypal = await start(Scripted([(201, {"batch_header": header})]))
    with pytest.raises(OutcomeUnknown):
        await paypal.send(ORDER, may_post)


async def test_a_duplicate_names_the_first_batch_by_its_link(start: Start) -> None:
    paypal = await start(Scripted([(400, DUPLICATE)]))
    with pytest.raises(AlreadyTaken) as caught:
        await paypal.send(ORDER, may_post)
    assert caught.value.batch_id == "FIRST"


async def test_a_duplicate_without_a_link_names_no_batch(start: Start) -> None:
    words = DUPLICATE["details"][0]["issue"]
    body = {"name": "USER_BUSINESS_ERROR", "details": [{"issue": words}]}
    paypal = await start(Scripted([(400, body)]))
    with pytest.raises(AlreadyTaken) as caught:
        await paypal.send(ORDER, may_post)
    assert caught.value.batch_id is None


async def test_a_token_is_cached_and_renewed_when_refused(start: Start) -> None:
    unauthorized = (401, {"name": "AUTHENTICATION_FAILURE"})
    scripted = Scripted([(201, CREATED), (201, CREATED), unauthorized, (201, CREATED)])
    paypal = await start(scripted)
    for _ in range(3):
        assert await paypal.send(ORDER, may_post) == "B1"
    assert scripted.headers == ["Bearer T1", "Bearer T1", "Bearer T1", "Bearer T2"]


async def test_a_sender_that_may_not_post_does_not(start: Start) -> None:
    """`may_post` is called when the token is there, and again before the POST is repeated."""
    scripted = Scripted([(401, {"name": "AUTHENTICATION_FAILURE"})])
    paypal = await start(scripted)
    answers = [True, False]

    async def may_post_once() -> bool:
        assert scripted.token_count == 3 - len(answers)
        return answers.pop(0)

    with pytest.raises(NothingTaken) as caught:
        await paypal.send(ORDER, may_post_once)
    assert caught.value.code == FENCE_LOST
    assert len(scripted.bodies) == 1


async def test_a_sender_held_too_long_by_the_rate_limit_sends_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paypal_client, "_READY_SECONDS", 0.2)
    scripted = Scripted([(201, CREATED)])
    paypal = await start(scripted, paypal_posts_a_minute=2)
    for _ in range(2):
        await paypal.send(ORDER, may_post)
    with pytest.raises(NothingTaken) as caught:
        await paypal.send(ORDER, may_post)
    assert caught.value.code == "RATE_LIMITED"
    assert len(scripted.bodies) == 2


async def test_a_sender_without_a_token_in_time_sends_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paypal_client, "_READY_SECONDS", 0.05)
    scripted = Scripted([(201, CREATED)], is_token_held=True)
    paypal = await start(scripted)
    with pytest.raises(NothingTaken) as caught:
        await paypal.send(ORDER, may_post)
    assert (caught.value.code, scripted.bodies) == ("TIMEOUT", [])


async def test_without_a_token_no_request_is_made(start: Start) -> None:
    paypal = await start(Scripted([(201, CREATED)], token_status=503))
    with pytest.raises(NothingTaken):
        await paypal.send(ORDER, may_post)
    for call in (paypal.batch("B1"), paypal.cancel("I1"), paypal.report(START, END)):
        with pytest.raises(NotReadable):
            await call


async def test_a_refused_connection_sends_nothing() -> None:
    async with http_client() as http:
        paypal = PaypalProvider(paypal_settings(f"http://127.0.0.1:{free_port()}"), http)
        with pytest.raises(NothingTaken):
            await paypal.send(ORDER, may_post)
        with pytest.raises(NotReadable):
            await paypal.batch("B1")


@pytest.mark.parametrize(
    "answer",
    [
        (404, {"name": "RESOURCE_NOT_FOUND"}),
        (500, b""),
        (200, b"<html>"),
        (200, []),
        (200, {"batch_header": {"payout_batch_id": "B1"}}),
        (200, CREATED | {"items": [1]}),
        (200, CREATED | {"items": [{"payout_item_id": "I1", "payout_item": {"receiver": "x"}}]}),
        (
            200,
            CREATED
            | {
                "items": [
                    {
                        "payout_item_id": "I1",
                        "payout_item": {
                            "receiver": "x",
                            "amount": {"currency": "USD", "value": "NaN"},
                        },
                    }
                ]
            },
        ),
    ],
)
async def test_a_malformed_batch_is_not_readable(start: Start, answer: Answer) -> None:
    paypal = await start(Scripted([answer]))
    with pytest.raises(NotReadable):
        await paypal.batch("B1")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((400, {"name": "ITEM_INCORRECT_STATUS"}), NotCancellable),
        ((400, {"name": "ITEM_ALREADY_CANCELLED"}), NotCancellable),
        ((400, {"name": "VALIDATION_ERROR"}), NotReadable),
        ((400, b"text of a proxy"), NotReadable),
        ((401, {"name": "AUTHENTICATION_FAILURE"}), NotReadable),
        ((404, {"name": "RESOURCE_NOT_FOUND"}), NotReadable),
        ((429, {"name": "RATE_LIMIT_REACHED"}), NotReadable),
        ((500, {"name": "INTERNAL_SERVER_ERROR"}), NotReadable),
        ((302, b""), NotReadable),
        (None, NotReadable),
    ],
)
async def test_each_response_to_a_cancel_has_its_error(
    start: Start, answer: Answer | None, expected: type[ProviderError]
) -> None:
    paypal = await start(Scripted([answer]))
    with pytest.raises(expected) as caught:
        await paypal.cancel("I1")
    assert type(caught.value) is expected


async def test_a_cancel_renews_its_token_once(start: Start) -> None:
    scripted = Scripted([(401, {"name": "AUTHENTICATION_FAILURE"}), (200, {})])
    await (await start(scripted)).cancel("I1")
    assert scripted.headers == ["Bearer T1", "Bearer T2"]


# In the format of PayPal's reports: offsets without a colon, ids with a hyphen, times in seconds.
LINE: dict[str, Any] = {
    "transaction_id": "4J3265475X6749251",
    "transaction_event_code": "T0001",
    "transaction_initiation_date": "2026-05-02T23:30:00-0700",
    "transaction_updated_date": "2026-05-04T01:27:43+0000",
    "transaction_amount": {"currency_code": "USD", "value": "-10.50"},
    "fee_amount": {"currency_code": "USD", "value": "-0.21"},
    "transaction_status": "V",
    "custom_field": "po-p1-1",
    "paypal_reference_id": "B-26H18495CK587040E",
    "paypal_reference_id_type": "PAP",
}


def report_response(*lines: Any, **more: Any) -> dict[str, Any]:
    return {
        "transaction_details": [{"transaction_info": line} for line in lines],
        "last_refreshed_datetime": "2026-05-07T21:59:59+0000",
        "page": 1,
        "total_pages": 1,
    } | more


async def test_a_report_in_paypals_format_is_parsed(start: Start) -> None:
    denied = LINE | {"transaction_id": "X" * 17, "transaction_status": "D"}
    after = LINE | {"transaction_id": "Y" * 17, "transaction_initiation_date": END.isoformat()}
    paypal = await start(Scripted([(200, report_response(LINE, denied, after))]))
    report = await paypal.report(START, END)
    (transaction,) = report.transactions
    assert transaction.id == "4J3265475X6749251"
    assert (transaction.sender_batch_id, transaction.reverses_id) == ("po-p1-1", "")
    assert (transaction.amount, transaction.fee) == (Money("USD", 1_050), Money("USD", 21))
    assert transaction.time == datetime(2026, 5, 3, 6, 30, tzinfo=UTC)
    assert report.end_time == datetime(2026, 5, 7, 21, 59, 59, tzinfo=UTC)


async def test_a_period_that_paypal_does_not_have_yet_is_an_empty_report(start: Start) -> None:
    message = "Data for the given start date is not available."
    answer = (400, {"name": "INVALID_REQUEST", "message": message, "details": [], "links": []})
    assert await (await start(Scripted([answer]))).report(START, END) == Report((), START)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (400, {"name": "INVALID_REQUEST", "details": [{"issue": "must be a time"}]}),
        (403, {"name": "NOT_AUTHORIZED"}),
        (500, b""),
        (200, b"<html>"),
        (200, []),
        (200, {"transaction_details": []}),
        (200, report_response(last_refreshed_datetime="2026-05-07T21:59:59")),
        (200, report_response(last_refreshed_datetime=None)),
        (200, report_response(total_pages=None)),
        (200, report_response({})),
        (
            200,
            report_response(LINE | {"transaction_amount": {"currency_code": "USD", "value": ""}}),
        ),
        (200, report_response(LINE | {"transaction_amount": {"value": "-1.00"}})),
        (200, report_response(LINE | {"transaction_initiation_date": "yesterday"})),
        (200, report_response(transaction_details=[None])),
    ],
)
async def test_a_malformed_report_is_not_readable(start: Start, answer: Answer | None) -> None:
    """No report is better than one without a transaction."""
    paypal = await start(Scripted([answer]))
    with pytest.raises(NotReadable):
        await paypal.report(START, END)
