"""Cells of the CSV that operators print: numbers stay numbers, and text is never a formula."""

from google.type.money_pb2 import Money as MoneyMessage

from servicekit.money import Money

# First characters by which a spreadsheet takes text for a formula, or skips to what follows
# (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


def decimal(message: MoneyMessage) -> str:
    """A number that a spreadsheet can add up: never quoted, not even if negative."""
    return str(Money.from_message(message)).partition(" ")[0]


def text(value: str) -> str:
    """Text, escaped so that it is no formula: references of banks and brands are untrusted."""
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA_STARTS) else value
