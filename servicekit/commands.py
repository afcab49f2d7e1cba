"""Command models: validation of requests beyond their protos, with pydantic.

A command has the fields of its request, named as in the proto (by alias if the domain's word
differs), so that a violation names the path in the request. Use cases take commands, never
messages.
"""

import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict
from pydantic import ValidationError as PydanticValidationError
from pydantic_core import PydanticCustomError

from servicekit import resource_names
from servicekit.errors import InvalidArgument, Violation, invalid_fields
from servicekit.money import NANOS_PER_MINOR, Money


class Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


C = TypeVar("C", bound=Command)


def parse(kind: type[C], request: Message) -> C:
    """Converts a request to a command.

    Raises:
        InvalidArgument: with all violations.
    """
    values = MessageToDict(request, preserving_proto_field_name=True)
    try:
        return kind.model_validate(values)
    except PydanticValidationError as error:
        raise invalid_fields(
            *(
                Violation(_path(details["loc"]), details["type"].upper(), details["msg"])
                for details in error.errors(include_url=False, include_input=False)
            )
        ) from None


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def violation(rule: str, description: str) -> PydanticCustomError:
    """The error that a validator raises: the rule's id, and what the value must be."""
    # As a parameter, since braces in a template are placeholders.
    return PydanticCustomError(rule, "{text}", {"text": description})


def resource_id(pattern: str) -> BeforeValidator:
    """Converts a resource name such as `tasks/{task}` to its id."""

    def parse_name(name: object) -> str:
        try:
            return resource_names.parse_id(pattern, str(name))
        except InvalidArgument:
            raise violation("AIP-122", f"Must look like {pattern}") from None

    return BeforeValidator(parse_name)


def resource_ids(pattern: str) -> BeforeValidator:
    """Converts a resource name such as `tasks/{task}/applications/{application}` to its ids."""

    def parse_name(name: object) -> tuple[str, ...]:
        try:
            return resource_names.parse_ids(pattern, str(name))
        except InvalidArgument:
            raise violation("AIP-122", f"Must look like {pattern}") from None

    return BeforeValidator(parse_name)


def proto_enum(prefix: str) -> BeforeValidator:
    """Removes the prefix of a proto enum value's name."""
    return BeforeValidator(
        lambda value: value.removeprefix(prefix) if isinstance(value, str) else value
    )


# C0 except tab and line breaks, DEL, and C1: terminals interpret them, and Postgres rejects NUL.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Printable ASCII except space, quotes and angle brackets, which delimit an address in other text.
_PLAIN = re.compile(r"[!#-;=?-~]+")
# Letters and symbols that are invisible: Hangul fillers and the empty braille pattern.
_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def is_plain(value: str) -> bool:
    """Whether the value is printable ASCII without space, `"`, `<` and `>`, as an address is."""
    return _PLAIN.fullmatch(value) is not None


def is_blank(value: str) -> bool:
    """Whether the value has only invisible characters: separators, control and format characters,
    such as a zero-width space."""
    # Usually one of the first is visible. Of the rest, which may be megabytes, each distinct
    # character is checked once.
    return all(map(_is_invisible, value[:100])) and all(map(_is_invisible, set(value[100:])))


def _is_invisible(character: str) -> bool:
    return character in _INVISIBLE or unicodedata.category(character)[0] in "ZC"


def _visible(value: str) -> str:
    if value and is_blank(value):
        raise violation("BLANK", "Must contain a visible character")
    return value


Visible = AfterValidator(_visible)


def bounded_text(minimum: int, maximum: int, rule: str = "LENGTH") -> AfterValidator:
    """Limits the number of code points, and allows no control characters except tab and line
    breaks."""

    def check(value: str) -> str:
        if not minimum <= len(value) <= maximum:
            raise violation(rule, f"Must be {minimum} to {maximum} characters, not {len(value)}")
        if _CONTROL.search(value):
            raise violation("CONTROL_CHARACTERS", "Must not contain control characters")
        return value

    return AfterValidator(check)


def unique_items(minimum: int, maximum: int) -> AfterValidator:
    """Limits the number of items, which must be distinct."""

    def check(value: list[Any]) -> list[Any]:
        if not minimum <= len(value) <= maximum:
            raise violation("COUNT", f"Must be {minimum} to {maximum} items, not {len(value)}")
        if len(set(map(repr, value))) != len(value):
            raise violation("UNIQUE", "Must not repeat an item")
        return value

    return AfterValidator(check)


def between(minimum: int, maximum: int, rule: str = "RANGE") -> AfterValidator:
    def check(value: int) -> int:
        if not minimum <= value <= maximum:
            raise violation(rule, f"Must be {minimum} to {maximum}")
        return value

    return AfterValidator(check)


def _https(value: str) -> str:
    if len(value) > 2000 or not is_plain(value) or not _has_host_only(value):
        raise violation("LINK", "Must be an https link of at most 2000 ASCII characters")
    return value


def _has_host_only(link: str) -> bool:
    """Whether a link is https, has a host, and has no user name or password."""
    try:
        parts = urlsplit(link)
        port = parts.port  # raises ValueError if it is not a number
    except ValueError:
        return False
    is_anonymous = "@" not in parts.netloc
    return parts.scheme == "https" and bool(parts.hostname) and port != 0 and is_anonymous


# ISO 4217 currencies of PayPal's payouts with a minor unit of 1/100: all except HUF, JPY and TWD,
# for which it allows no decimals (https://developer.paypal.com/api/rest/reference/currency-codes/).
CURRENCIES = frozenset(
    "AUD BRL CAD CHF CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD".split()
)
# PayPal's limit is 20,000 USD an item; a deposit may be larger, and must fit a bigint.
_MAXIMUM_MINOR = 10**12


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        raise violation("ISO-4217", "Must be a currency that rewards are paid in, such as USD")
    return value


def _positive_money(value: Any) -> Money:
    currency = _currency(value.get("currency_code", ""))
    minor, rest = divmod(int(value.get("nanos", 0)), NANOS_PER_MINOR)
    amount_minor = int(value.get("units", 0)) * 100 + minor
    if rest:
        raise violation("MINOR_UNITS", "Must have at most 2 decimal places")
    if not 0 < amount_minor <= _MAXIMUM_MINOR:
        raise violation("RANGE", "Must be above zero and at most 10,000,000,000")
    return Money(currency, amount_minor)


def _in_this_century(time: datetime) -> datetime:
    """Allows any task, and every later deadline that is computed from it."""
    if not 2000 <= time.year < 2100:
        raise violation("RANGE", "Must be in this century")
    return time


Link = Annotated[str, AfterValidator(_https)]
Currency = Annotated[str, AfterValidator(_currency)]
PositiveMoney = Annotated[Money, BeforeValidator(_positive_money)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_this_century)]
