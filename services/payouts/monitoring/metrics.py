"""What is measured: whether the ledger adds up, how payouts stand, and what sending came to."""

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
    """Of a Unix time, not an age: it stays true, and grows old, where nobody can look any more."""
    return _METER.create_gauge(name, unit="s", description=description)


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
_CHECK = _time_gauge(
    "ledger.check_time",
    "Unix time when it was last seen whether the ledger adds up",
)
_PAYOUTS = _METER.create_gauge(
    "payouts.waiting",
    unit="{payout}",
    description="Payouts for which money is held, by state",
)
_ATTEMPTS = _METER.create_gauge(
    "payouts.attempts",
    unit="{attempt}",
    description="Attempts whose outcome is UNKNOWN, or that are BLOCKED until a person decides",
)
_PAYOUTS_OLDEST = _time_gauge(
    "payouts.oldest_waiting_time",
    "Unix time since when the oldest payout stands so, by state; 0 when there is none",
)
_ATTEMPTS_OLDEST = _time_gauge(
    "payouts.oldest_attempt_time",
    "Unix time since when the oldest attempt is UNKNOWN or BLOCKED; 0 when none is",
)
_HALTED = _METER.create_gauge(
    "payouts.halted",
    description="1 while nothing is sent, by cause; 0 otherwise",
)
_RECONCILED = _time_gauge(
    "payouts.reconciliation_time",
    "Unix time of the last reconciliation, by provider; of the service's first day"
    " when there was none",
)
_MISMATCHES = _METER.create_gauge(
    "payouts.reconciliation_mismatches",
    unit="{finding}",
    description="What was found that does not match, until sending resumes; by provider",
)
_LOOK = _time_gauge(
    "payouts.look_time",
    "Unix time when it was last seen how payouts stand",
)
_REJECTED = _METER.create_counter(
    "payouts.sends_rejected",
    unit="{attempt}",
    description="Attempts that the provider refused for good",
)
_NOT_TAKEN = _METER.create_counter(
    "payouts.sends_not_taken",
    unit="{call}",
    description="Orders that the provider did not take now: no funds, too busy, or out of reach",
)
_STOPPED = _METER.create_counter(
    "payouts.sends_stopped",
    unit="{attempt}",
    description="Attempts that were stopped until a person decides",
)
_CAME_BACK = _METER.create_counter(
    "payouts.came_back",
    unit="{attempt}",
    description="Payments that came back after the creator had them",
)
_FINAL = frozenset({State.PAID, State.RELEASED, State.WRITTEN_OFF})
_WATCHED_ATTEMPTS = (AttemptState.UNKNOWN, AttemptState.BLOCKED)


def checked(drifts: Iterable[Drift], now: datetime) -> None:
    """`drifts` has every currency of the ledger, those that add up included."""
    found = {drift.currency: drift for drift in drifts}
    for currency in sorted(CURRENCIES.union(found)):
        drift = found.get(currency, Drift(currency))
        _DRIFT.set(drift.sum_minor, {"currency": currency})
        _CARRIED_DRIFT.set(drift.carried_minor, {"currency": currency})
    _CHECK.set(now.timestamp())


def rejected() -> None:
    _REJECTED.add(1)


def not_taken() -> None:
    _NOT_TAKEN.add(1)


def stopped() -> None:
    _STOPPED.add(1)


def came_back() -> None:
    _CAME_BACK.add(1)


def looked(
    payouts: Mapping[State, Waiting],
    attempts: Mapping[AttemptState, Waiting],
    halts: Iterable[Event],
    reconciliations: Mapping[ProviderName, LastReconciliation],
    now: datetime,
) -> None:
    for state in set(State) - _FINAL:
        _set(_PAYOUTS, _PAYOUTS_OLDEST, payouts.get(state), {"state": state})
    for attempt_state in _WATCHED_ATTEMPTS:
        _set(_ATTEMPTS, _ATTEMPTS_OLDEST, attempts.get(attempt_state), {"state": attempt_state})
    causes = {halt.cause for halt in halts}
    for cause in Cause:
        _HALTED.set(int(cause in causes), {"cause": cause})
    for provider, last in reconciliations.items():
        _RECONCILED.set(last.time.timestamp(), {"provider": provider})
        _MISMATCHES.set(last.mismatch_count, {"provider": provider})
    for counter in (_REJECTED, _NOT_TAKEN, _STOPPED, _CAME_BACK):
        # Else its first increase would be its first sample, which shows no increase.
        counter.add(0)
    _LOOK.set(now.timestamp())


def _set(
    count: Gauge, oldest: Gauge, waiting: Waiting | None, attributes: Mapping[str, str]
) -> None:
    count.set(waiting.count if waiting else 0, attributes)
    oldest.set(waiting.since.timestamp() if waiting else 0.0, attributes)
