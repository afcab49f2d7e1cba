"""Input and results of the reconciliation workflow. Pure. The payouts service compares."""

from dataclasses import dataclass, field
from uuid import UUID, uuid5

_NAMESPACE = UUID("5f9f51a4-6b2b-4f0e-9f39-0a1c54d4c7c1")


@dataclass(frozen=True)
class ReconciliationTerms:
    """`providers` as payouts.v1.Provider names them, without the prefix."""

    providers: list[str]


@dataclass(frozen=True)
class Reconcile:
    provider: str
    request_id: str


@dataclass(frozen=True)
class Reconciled:
    """One provider's result, formatted for the Temporal UI."""

    name: str
    provider: str
    period: str
    transaction_count: int
    mismatch_count: int
    totals: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ReconciliationResult:
    reconciliations: list[Reconciled]


def request_of(run_id: str, provider: str) -> Reconcile:
    """The request of a run for one provider. Deterministic: a retried activity sends the same
    `request_id`."""
    return Reconcile(provider, str(uuid5(_NAMESPACE, f"{run_id}/{provider}")))
