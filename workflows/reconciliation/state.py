"""What the reconciliation's workflow is told and tells: pure. The comparison itself is the payouts
service's."""

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
    """One provider's, in the words of the report."""

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


def order_of(run_id: str, provider: str) -> Reconcile:
    """The same one for the same run, however often it is asked for."""
    return Reconcile(provider, str(uuid5(_NAMESPACE, f"{run_id}/{provider}")))


def details_of(done: list[Reconciled], waiting: list[str]) -> str:
    """Markdown: who must act, and what was found."""
    mismatch_count = sum(each.mismatch_count for each in done)
    if mismatch_count:
        what = "1 does" if mismatch_count == 1 else f"{mismatch_count} do"
        head = f"**An operator must look: {what} not match, and nothing is sent**"
    elif waiting:
        head = f"**The platform compares with {', '.join(waiting)}**"
    else:
        head = "**Everything matches: nobody must act**"
    return "\n\n".join([head, *map(_section, done)])


def _section(done: Reconciled) -> str:
    lines = [
        f"`{done.name}`: {done.provider}, {done.period}",
        f"{done.transaction_count} new lines",
    ]
    return "\n- ".join([*lines, *done.totals, *done.findings])
