"""Amounts in PayPal's format, decimal strings of a currency's units, and fees."""

from decimal import ROUND_HALF_UP, Decimal

ZERO_DECIMAL_CURRENCIES = frozenset({"HUF", "JPY", "TWD"})
CURRENCIES = ZERO_DECIMAL_CURRENCIES | frozenset(
    "AUD BRL CAD CHF CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD".split()
)
MAX_ITEM_USD = Decimal(20_000)

# PayPal charges "about 2 %" on top, with caps that differ by country pair. The sandbox uses one
# simple rule, to exercise clients' fee handling: 2 %, at most 20 units.
FEE_RATE = Decimal("0.02")
FEE_CAP = Decimal(20)


def exponent(currency: str) -> Decimal:
    """The smallest amount of a currency."""
    return Decimal(1) if currency in ZERO_DECIMAL_CURRENCIES else Decimal("0.01")


def as_text(amount: Decimal, currency: str) -> str:
    return str(amount.quantize(exponent(currency), ROUND_HALF_UP))


def fee_on(amount: Decimal) -> Decimal:
    return min(FEE_CAP, amount * FEE_RATE)
