"""Command models: what a request must satisfy beyond its proto, as pydantic models.

A command mirrors its request: fields are named as in the proto (by alias where the domain's word
differs), so that a violation names the path that the caller wrote. Use cases take commands and
never see a message.
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
    """`request` as a command.

    Raises:
        InvalidArgument: every violation at once.
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
    """What a validator raises: the rule's id, and what would mend it."""
    # Braces would be read as placeholders.
    return PydanticCustomError(rule, "{text}", {"text": description})


def resource_id(pattern: str) -> BeforeValidator:
    """Takes the one id out of a resource name such as `tasks/{task}`."""

    def take(name: object) -> str:
        try:
            return resource_names.parse_id(pattern, str(name))
        except InvalidArgument:
            raise violation("AIP-122", f"Must look like {pattern}") from None

    return BeforeValidator(take)


def resource_ids(pattern: str) -> BeforeValidator:
    """Takes all ids out of a resource name such as `tasks/{task}/applications/{application}`."""

    def take(name: object) -> tuple[str, ...]:
        try:
            return resource_names.parse_ids(pattern, str(name))
        except InvalidArgument:
            raise violation("AIP-122", f"Must look like {pattern}") from None

    return BeforeValidator(take)


def proto_enum(prefix: str) -> BeforeValidator:
    """Takes the prefix off a proto enum value's name."""
    return BeforeValidator(
        lambda value: value.removeprefix(prefix) if isinstance(value, str) else value
    )


# C0 but tab and line breaks, DEL, and C1: no text needs them, terminals obey them, and Postgres
# takes no NUL.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Printable ASCII but blanks, quotes and angle brackets, which end an address wherever it is quoted.
_PLAIN = re.compile(r"[!#-;=?-~]+")
# Letters and symbols that show nothing: Hangul fillers and the empty braille pattern.
_UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def is_plain(value: str) -> bool:
    """Whether this may be an address: printable ASCII without blanks, `"`, `<` and `>`."""
    return _PLAIN.fullmatch(value) is not None


def is_blank(value: str) -> bool:
    """Whether nothing of this can be seen: separators, control and format characters alone, such as
    a zero-width space, show nothing."""
    # Mostly one of the first is seen; of the rest, which may be megabytes, each is looked at once.
    return all(map(_is_unseen, value[:100])) and all(map(_is_unseen, set(value[100:])))


def _is_unseen(character: str) -> bool:
    return character in _UNSEEN or unicodedata.category(character)[0] in "ZC"


def _visible(value: str) -> str:
    if value and is_blank(value):
        raise violation("BLANK", "Must hold something that can be seen")
    return value


Visible = AfterValidator(_visible)


def bounded_text(minimum: int, maximum: int, rule: str = "LENGTH") -> AfterValidator:
    """A text of so many code points, without control characters but line breaks and tabs."""

    def check(value: str) -> str:
        if not minimum <= len(value) <= maximum:
            raise violation(rule, f"Must be {minimum} to {maximum} characters, not {len(value)}")
        if _CONTROL.search(value):
            raise violation("CONTROL_CHARACTERS", "Must not hold control characters")
        return value

    return AfterValidator(check)


def unique_items(minimum: int, maximum: int) -> AfterValidator:
    """A list of so many different items."""

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
    """https, of a host, and of nobody who logs in there."""
    try:
        parts = urlsplit(link)
        port = parts.port  # asking for one that is none fails
    except ValueError:
        return False
    is_anonymous = "@" not in parts.netloc
    return parts.scheme == "https" and bool(parts.hostname) and port != 0 and is_anonymous


# ISO 4217 currencies that PayPal pays out in, with a minor unit of 1/100: all but HUF, JPY and TWD,
# for which it takes no decimals (https://developer.paypal.com/api/rest/reference/currency-codes/).
CURRENCIES = frozenset(
    "AUD BRL CAD CHF CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD".split()
)
# PayPal takes at most 20,000 USD an item; a deposit may be larger, and must fit a bigint.
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


def _within_reach(time: datetime) -> datetime:
    """Far enough for any task, and near enough that every clock can be added to it."""
    if not 2000 <= time.year < 2100:
        raise violation("RANGE", "Must be in this century")
    return time


Link = Annotated[str, AfterValidator(_https)]
Currency = Annotated[str, AfterValidator(_currency)]
PositiveMoney = Annotated[Money, BeforeValidator(_positive_money)]
Instant = Annotated[AwareDatetime, AfterValidator(_within_reach)]
