"""What PayPal's answers mean, over real HTTP against a server that gives the ones we choose."""

from collections.abc import AsyncIterator

import pytest

from servicekit.money import Money
from services.payouts.paypal import Paypal, http_client
from services.payouts.provider import (
    AlreadyTaken,
    NothingTaken,
    NotReadable,
    Order,
    OutcomeUnknown,
    ProviderError,
    Rejected,
)
from tests.integration.payouts.house import free_port, paypal_settings
from tests.integration.payouts.scripted import (
    CREATED,
    DUPLICATE,
    Answer,
    Scripted,
    Start,
    starting,
)


async def may_post() -> bool:
    return True


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
        ((400, b"a proxy's own words"), OutcomeUnknown),
        ((403, b"a firewall's own words"), OutcomeUnknown),
        ((404, {"name": "RESOURCE_NOT_FOUND"}), OutcomeUnknown),
    ],
)
async def test_only_what_is_certain_is_taken_for_certain(
    start: Start, answer: Answer | None, expected: type[ProviderError]
) -> None:
    paypal = await start(Scripted([answer]))
    with pytest.raises(expected) as caught:
        await paypal.send(ORDER, may_post)
    assert type(caught.value) is expected


async def test_another_id_in_the_answer_is_not_believed(start: Start) -> None:
    header = CREATED["batch_header"] | {"sender_batch_header": {"sender_batch_id": "po-p2-1"}}
    paypal = await start(Scripted([(201, {"batch_header": header})]))
    with pytest.raises(OutcomeUnknown):
        await paypal.send(ORDER, may_post)


async def test_a_duplicate_tells_the_first_batch_by_its_link(start: Start) -> None:
    paypal = await start(Scripted([(400, DUPLICATE)]))
    with pytest.raises(AlreadyTaken) as caught:
        await paypal.send(ORDER, may_post)
    assert caught.value.batch_id == "FIRST"


async def test_a_duplicate_without_a_link_tells_none(start: Start) -> None:
    words = DUPLICATE["details"][0]["issue"]
    body = {"name": "USER_BUSINESS_ERROR", "details": [{"issue": words}]}
    paypal = await start(Scripted([(400, body)]))
    with pytest.raises(AlreadyTaken) as caught:
        await paypal.send(ORDER, may_post)
    assert caught.value.batch_id is None


async def test_a_token_is_kept_and_renewed_when_it_is_refused(start: Start) -> None:
    unauthorized = (401, {"name": "AUTHENTICATION_FAILURE"})
    scripted = Scripted([(201, CREATED), (201, CREATED), unauthorized, (201, CREATED)])
    paypal = await start(scripted)
    for _ in range(3):
        assert await paypal.send(ORDER, may_post) == "B1"
    assert scripted.headers == ["Bearer T1", "Bearer T1", "Bearer T1", "Bearer T2"]


async def test_without_a_token_nothing_was_taken(start: Start) -> None:
    paypal = await start(Scripted([(201, CREATED)], token_status=503))
    with pytest.raises(NothingTaken):
        await paypal.send(ORDER, may_post)
    with pytest.raises(NotReadable):
        await paypal.batch("B1")


async def test_where_nobody_listens_nothing_was_taken() -> None:
    async with http_client() as http:
        paypal = Paypal(paypal_settings(f"http://127.0.0.1:{free_port()}"), http)
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
async def test_a_batch_that_cannot_be_read_is_no_answer(start: Start, answer: Answer) -> None:
    paypal = await start(Scripted([answer]))
    with pytest.raises(NotReadable):
        await paypal.batch("B1")
