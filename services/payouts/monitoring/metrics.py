"""Metrics of the ledger, of payouts and of sending."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from opentelemetry import metrics

from servicekit.commands import CURRENCIES
from services.payouts.attempts import AttemptState
from services.payouts.domain import State
from services.payouts.kill_switch.handlers import Cause, Event
from services.payouts.ledger.store import Drift
from services.payouts.monitoring.queries import LastReconciliation, Waiting
from workflows.payout.providers import ProviderName


class Gauge(Protocol):
    def set(self, amount: float, attributes: Mapping[str, str] | None = None) -> None: ...


_METER = metrics.get_meter(__name__)


def _time_gauge(name: str, description: str) -> Gauge:
    """A gauge of a Unix time, not of an age: if checks fail, the value stays true and grows old."""
    return _METER.create_gauge(name, unit="s", description=description)


_DRIFT = _METER.create_gauge(
    "ledger.drift",
    unit="{minor_unit}",
    description="Sum of all accounts, by currency; anything but 0 is a defect",
)
_CARRIED_DRIFT = _METER.create_gauge(
    "ledger.carried_drift",
    unit="{minor_unit}",
    description="Difference between carried balances and the sums of their entries, by currency;"
    " anything but 0 is a defect",
)
_LAST_LEDGER_CHECK = _time_gauge(
    "ledger.last_check_time",
    "Unix time of the last successful check of the ledger",
)
_PAYOUTS = _METER.create_gauge(
    "payouts.waiting",
    unit="{payout}",
    description="Payouts with reserved money, by state",
)
_ATTEMPTS = _METER.create_gauge(
    "payouts.attempts",
    unit="{attempt}",
    description="Attempts that are UNKNOWN or BLOCKED, by state",
)
_PAYOUTS_OLDEST = _time_gauge(
    "payouts.oldest_waiting_time",
    "Unix time since when the oldest payout has been in its state, by state; 0 if none",
)
_ATTEMPTS_OLDEST = _time_gauge(
    "payouts.oldest_attempt_time",
    "Unix time since when the oldest attempt has been UNKNOWN or BLOCKED, by state; 0 if none",
)
_HALTED = _METER.create_gauge(
    "payouts.halted",
    description="1 while a halt is active, by cause; 0 otherwise",
)
_RECONCILED = _time_gauge(
    "payouts.reconciliation_time",
    "Unix time of the last reconciliation, by provider; of the first migration if there was none",
)
_MISMATCHES = _METER.create_gauge(
    "payouts.reconciliation_mismatches",
    unit="{finding}",
    description="Mismatches found since the oldest active mismatch halt, by provider",
)
_LAST_PAYOUTS_CHECK = _time_gauge(
    "payouts.last_check_time",
    "Unix time of the last successful check of payouts",
)
_REJECTED = _METER.create_counter(
    "payouts.rejected",
    unit="{attempt}",
    description="Attempts that the provider rejected",
)
_DEFERRED = _METER.create_counter(
    "payouts.deferred",
    unit="{call}",
    description="Orders that the provider did not accept: no funds, too busy or unreachable",
)
_BLOCKED = _METER.create_counter(
    "payouts.blocked",
    unit="{attempt}",
    description="Attempts that were blocked until an operator decides",
)
_RETURNED = _METER.create_counter(
    "payouts.returned",
    unit="{attempt}",
    description="Payments that were returned after the creator had them",
)
_ENDED = frozenset({State.PAID, State.RELEASED, State.WRITTEN_OFF})
_MONITORED_ATTEMPTS = (AttemptState.UNKNOWN, AttemptState.BLOCKED)


def ledger_checked(drifts: Iterable[Drift], now: datetime) -> None:
    """`drifts` has every currency of the ledger, including those that balance."""
    found = {drift.currency: drift for drift in drifts}
    for currency in sorted(CURRENCIES.union(found)):
        drift = found.get(currency, Drift(currency))
        _DRIFT.set(drift.sum_minor, {"currency": currency})
        _CARRIED_DRIFT.set(drift.carried_minor, {"currency": currency})
    _LAST_LEDGER_CHECK.set(now.timestamp())


def rejected() -> None:
    _REJECTED.add(1)


def deferred() -> None:
    _DEFERRED.add(1)


def blocked() -> None:
    _BLOCKED.add(1)


def returned() -> None:
    _RETURNED.add(1)


def payouts_checked(
    payouts: Mapping[State, Waiting],
    attempts: Mapping[AttemptState, Waiting],
    halts: Iterable[Event],
    reconciliations: Mapping[ProviderName, LastReconciliation],
    now: datetime,
) -> None:
    for state in set(State) - _ENDED:
        _set(_PAYOUTS, _PAYOUTS_OLDEST, payouts.get(state), {"state": state})
    for attempt_state in _MONITORED_ATTEMPTS:
        _set(_ATTEMPTS, _ATTEMPTS_OLDEST, attempts.get(attempt_state), {"state": attempt_state})
    causes = {halt.cause for halt in halts}
    for cause in Cause:
        _HALTED.set(int(cause in causes), {"cause": cause})
    for provider, last in reconciliations.items():
        _RECONCILED.set(last.time.timestamp(), {"provider": provider})
        _MISMATCHES.set(last.mismatch_count, {"provider": provider})
    for counter in (_REJECTED, _DEFERRED, _BLOCKED, _RETURNED):
        # Without a first sample of 0, `increase()` would miss the first event.
        counter.add(0)
    _LAST_PAYOUTS_CHECK.set(now.timestamp())


def _set(
    count: Gauge, oldest: Gauge, waiting: Waiting | None, attributes: Mapping[str, str]
) -> None:
    count.set(waiting.count if waiting else 0, attributes)
    oldest.set(waiting.since.timestamp() if waiting else 0.0, attributes)
