"""What comes from outside: events and settings."""

import pytest
from pydantic import TypeAdapter, ValidationError

from services.payouts.providers.paypal.webhook import parse_event
from services.payouts.sending.handlers import ProviderEvent
from services.payouts.settings import Origin


def test_an_event_of_a_batch_names_it() -> None:
    header = {"payout_batch_id": "B1", "sender_batch_header": {"sender_batch_id": "po-p1-1"}}
    assert parse_event({"resource": {"batch_header": header}}) == ProviderEvent("po-p1-1", "B1")


def test_an_event_of_an_item_names_its_batch() -> None:
    resource = {"payout_item_id": "I1", "payout_batch_id": "B1", "sender_batch_id": "po-p1-1"}
    assert parse_event({"resource": resource, "of_tomorrow": 1}) == ProviderEvent("po-p1-1", "B1")


def test_an_event_of_something_else_names_nothing() -> None:
    assert parse_event({"resource": {"batch_header": [], "id": "WH-1"}}) == ProviderEvent("", "")


@pytest.mark.parametrize("event", [None, [], "text", {}, {"resource": None}])
def test_what_is_no_event_is_refused(event: object) -> None:
    with pytest.raises(TypeError):
        parse_event(event)


@pytest.mark.parametrize(
    "value",
    ["api.paypal.com", "ftp://api.paypal.com", "https://", "https://u@h", "https://h/path"],
)
def test_an_origin_is_a_scheme_and_a_host(value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Origin).validate_python(value)


def test_an_origin_is_kept_without_its_slash() -> None:
    assert (
        TypeAdapter(Origin).validate_python("https://API.paypal.com/") == "https://api.paypal.com"
    )
