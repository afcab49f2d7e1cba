"""Cells of the CSV that operators print: numbers are numbers, and texts never formulas."""

from google.type.money_pb2 import Money as MoneyMessage

from servicekit.money import Money

# What makes a spreadsheet take a text for a formula, or look at what follows as if it began there
# (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


def decimal(message: MoneyMessage) -> str:
    """A number that a spreadsheet can sum up, so it is never quoted, not even below zero."""
    return str(Money.from_message(message)).partition(" ")[0]


def text(value: str) -> str:
    """A text as nothing but a text: the references of banks and brands are anybody's words."""
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA_STARTS) else value
