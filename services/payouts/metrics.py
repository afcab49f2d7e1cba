"""What is measured of the ledger: whether it still adds up."""

from collections.abc import Iterable
from datetime import datetime

from opentelemetry import metrics

from servicekit.commands import CURRENCIES
from services.payouts.ledger import Drift

_METER = metrics.get_meter(__name__)
_DRIFT = _METER.create_gauge(
    "ledger.drift",
    unit="{minor_unit}",
    description="The sum of all accounts, by currency; anything but 0 is a defect",
)
_CARRIED_DRIFT = _METER.create_gauge(
    "ledger.carried_drift",
    unit="{minor_unit}",
    description="By how much carried balances differ from the sums of their entries, by currency;"
    " anything but 0 is a defect",
)
# A time, not an age: it stays true, and grows old, where nobody can look any more.
_CHECK = _METER.create_gauge(
    "ledger.check_time",
    unit="s",
    description="Unix time when it was last seen whether the ledger adds up",
)


def checked(drifts: Iterable[Drift], now: datetime) -> None:
    """`drifts` has every currency of the ledger, those that add up included."""
    found = {drift.currency: drift for drift in drifts}
    for currency in sorted(CURRENCIES.union(found)):
        drift = found.get(currency, Drift(currency))
        _DRIFT.set(drift.sum_minor, {"currency": currency})
        _CARRIED_DRIFT.set(drift.carried_minor, {"currency": currency})
    _CHECK.set(now.timestamp())
