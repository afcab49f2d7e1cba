"""Which batch a webhook event names."""

import pytest

from services.payouts.providers.paypal.webhook import parse_event
from services.payouts.sending.handlers import ProviderEvent


def test_an_event_of_a_batch_names_it() -> None:
    header = {"payout_batch_id": "B1", "sender_batch_header": {"sender_batch_id": "po-p1-1"}}
    assert parse_event({"resource": {"batch_header": header}}) == ProviderEvent("po-p1-1", "B1")


def test_an_event_of_an_item_names_its_batch() -> None:
    resource = {"payout_item_id": "I1", "payout_batch_id": "B1", "sender_batch_id": "po-p1-1"}
    assert parse_event({"resource": resource, "of_tomorrow": 1}) == ProviderEvent("po-p1-1", "B1")


def test_an_event_of_something_else_names_nothing() -> None:
    assert parse_event({"resource": {"batch_header": [], "id": "WH-1"}}) == ProviderEvent("", "")


@pytest.mark.parametrize("event", [None, [], "text", {}, {"resource": None}])
def test_a_body_that_is_not_an_event_is_refused(event: object) -> None:
    with pytest.raises(TypeError):
        parse_event(event)
