"""Resource names, amounts of money, and timestamps."""

from datetime import UTC, datetime

import pytest
from google.type.money_pb2 import Money as MoneyMessage
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import InvalidArgument, Reason
from servicekit.money import Money
from servicekit.resource_names import parse_id, parse_ids
from servicekit.timestamps import from_timestamp, to_timestamp

APPLICATION = "tasks/{task}/applications/{application}"


@pytest.mark.parametrize("id_", ["a", "A-1", "a.b_c~d", "0f" * 31, "x" * 63])
def test_an_id_is_parsed_from_its_name(id_: str) -> None:
    assert parse_id("tasks/{task}", f"tasks/{id_}") == id_
    assert parse_ids(APPLICATION, f"tasks/{id_}/applications/b") == (id_, "b")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "tasks",
        "tasks/",
        "tasks/-",
        "tasks/-a",
        "tasks/a-",
        "tasks/a b",
        "tasks/a/b",
        "tasks/a\n",
        "tasks/" + "x" * 64,
        "tasks/é",
        "tasks/..",
        "xtasks/a",
        "brands/a",
        "/tasks/a",
    ],
)
def test_an_invalid_name_is_rejected_by_field(name: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse_id("tasks/{task}", name, field="task.name")
    assert refused.value.reason is Reason.INVALID_FIELDS
    (violation,) = refused.value.violations
    assert (violation.field, violation.rule) == ("task.name", "AIP-122")


@given(st.integers(-(10**14), 10**14))
def test_money_survives_conversion_to_a_message(amount_minor: int) -> None:
    money = Money("USD", amount_minor)
    message = money.to_message()
    assert Money.from_message(message) == money
    # google.type.Money: both parts have the same sign.
    assert message.units * message.nanos >= 0


@pytest.mark.parametrize(
    ("amount_minor", "text", "units", "nanos"),
    [
        (12_345, "123.45 USD", 123, 450_000_000),
        (-5, "-0.05 USD", 0, -50_000_000),
        (-12_345, "-123.45 USD", -123, -450_000_000),
        (0, "0.00 USD", 0, 0),
    ],
)
def test_money_is_written_in_hundredths(
    amount_minor: int, text: str, units: int, nanos: int
) -> None:
    money = Money("USD", amount_minor)
    assert str(money) == text
    assert money.to_message() == MoneyMessage(currency_code="USD", units=units, nanos=nanos)


def test_a_timestamp_is_converted_back_in_utc() -> None:
    instant = datetime(2026, 3, 1, 12, 30, 15, 123_456, tzinfo=UTC)
    message = to_timestamp(instant)
    assert message is not None
    assert from_timestamp(message) == instant
    assert to_timestamp(None) is None
