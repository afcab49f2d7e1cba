"""Mobile numbers are normalized to E.164 or refused (R35)."""

import re

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.creators.commands import NewCreator

DIGITS = st.text("0123456789", min_size=1, max_size=18)
NUMBERS = st.one_of(
    st.text(max_size=40),
    st.text("+0123456789 ().-/;x", max_size=30),
    DIGITS.map("+{}".format),
    DIGITS.map("+34 6{}".format),
)


def _normalized(number: str) -> str | None:
    try:
        creator = NewCreator.model_validate(
            {"name": "creators/anna", "display_name": "Anna", "mobile_number": number}
        )
    except ValidationError as error:
        [violation] = error.errors()
        assert (violation["loc"], violation["type"]) == (("mobile_number",), "R35")
        return None
    return creator.mobile_number


@given(NUMBERS)
def test_any_text_is_normalized_to_e164_or_refused(number: str) -> None:
    normalized = _normalized(number)
    if normalized is not None:
        assert re.fullmatch(r"\+[1-9]\d{6,14}", normalized)
        assert number.strip(" ").startswith("+")
        assert _normalized(normalized) == normalized
        assert phonenumbers.is_valid_number(phonenumbers.parse(normalized))


def test_the_example_mobile_number_of_every_region_is_accepted() -> None:
    mobile = phonenumbers.PhoneNumberType.MOBILE
    accepted = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number_for_type(region, mobile)
        if example is None:
            continue
        accepted += 1
        e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        assert _normalized(e164) == _normalized(written) == e164, region
    assert accepted > 200
