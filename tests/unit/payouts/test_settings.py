"""Validation of origins in the settings."""

import pytest
from pydantic import TypeAdapter, ValidationError

from services.payouts.settings import Origin


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
