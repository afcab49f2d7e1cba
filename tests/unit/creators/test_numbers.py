"""Mobile numbers: whatever is written, what is kept is E.164 or nothing (R35)."""

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


def _kept(number: str) -> str | None:
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
def test_any_text_is_a_number_in_e164_or_refused(number: str) -> None:
    kept = _kept(number)
    if kept is not None:
        assert re.fullmatch(r"\+[1-9]\d{6,14}", kept)
        assert number.strip(" ").startswith("+")
        assert _kept(kept) == kept
        assert phonenumbers.is_valid_number(phonenumbers.parse(kept))


def test_every_regions_own_example_of_a_mobile_is_taken() -> None:
    mobile = phonenumbers.PhoneNumberType.MOBILE
    taken = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number_for_type(region, mobile)
        if example is None:
            continue
        taken += 1
        e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        assert _kept(e164) == _kept(written) == e164, region
    assert taken > 200
