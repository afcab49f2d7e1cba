"""gRPC service payouts.v1.ReconciliationService."""

from typing import Any

from google.type.money_pb2 import Money as MoneyMessage
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2_grpc import (
    ReconciliationServiceServicer,
    add_ReconciliationServiceServicer_to_server,
)

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.money import Money
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from servicekit.timestamps import to_timestamp
from services.payouts.kill_switch import handlers as kill_switch_handlers
from services.payouts.kill_switch.handlers import Event, KillSwitch, KillSwitchHandlers
from services.payouts.reconciliation import handlers as reconciliation_handlers
from services.payouts.reconciliation.domain import Finding, Reconciliation, Total
from services.payouts.reconciliation.handlers import ReconciliationHandlers

ACCESS = {
    # No transaction may stay open while it reads the provider's report.
    "RunReconciliation": allow(Role.SERVICE, Role.OPERATOR, repeat=Repeat.BY_COMMAND),
    "GetReconciliation": allow(Role.OPERATOR),
    "ListReconciliations": allow(Role.OPERATOR),
    "GetKillSwitch": allow(Role.OPERATOR),
    "HaltPayouts": allow(Role.OPERATOR),
    "ResumePayouts": allow(Role.OPERATOR),
}


class ReconciliationServicer(ReconciliationServiceServicer):
    def __init__(
        self, reconciliations: ReconciliationHandlers, kill_switch: KillSwitchHandlers
    ) -> None:
        self._reconciliations = reconciliations
        self._kill_switch = kill_switch

    async def RunReconciliation(
        self, request: pb.RunReconciliationRequest, context: Any
    ) -> pb.Reconciliation:
        command = parse(reconciliation_handlers.RunReconciliation, request)
        return to_reconciliation(await self._reconciliations.run_reconciliation(command))

    async def GetReconciliation(
        self, request: pb.GetReconciliationRequest, context: Any
    ) -> pb.Reconciliation:
        command = parse(reconciliation_handlers.GetReconciliation, request)
        return to_reconciliation(await self._reconciliations.get_reconciliation(command))

    async def ListReconciliations(
        self, request: pb.ListReconciliationsRequest, context: Any
    ) -> pb.ListReconciliationsResponse:
        page = page_of(request.page_size, request.page_token, key=int)
        found = await self._reconciliations.list_reconciliations(page)
        return pb.ListReconciliationsResponse(
            reconciliations=map(to_reconciliation, found),
            next_page_token=page.token_after(found, lambda each: Cursor(each.id, "")),
        )

    async def GetKillSwitch(self, request: pb.GetKillSwitchRequest, context: Any) -> pb.KillSwitch:
        return to_kill_switch(await self._kill_switch.get_kill_switch())

    async def HaltPayouts(self, request: pb.HaltPayoutsRequest, context: Any) -> pb.KillSwitch:
        command = parse(kill_switch_handlers.HaltPayouts, request)
        return to_kill_switch(await self._kill_switch.halt_payouts(current_principal(), command))

    async def ResumePayouts(self, request: pb.ResumePayoutsRequest, context: Any) -> pb.KillSwitch:
        command = parse(kill_switch_handlers.ResumePayouts, request)
        return to_kill_switch(await self._kill_switch.resume_payouts(current_principal(), command))


def service(reconciliations: ReconciliationHandlers, kill_switch: KillSwitchHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["ReconciliationService"],
        add_ReconciliationServiceServicer_to_server,
        ReconciliationServicer(reconciliations, kill_switch),
        ACCESS,
    )


def to_reconciliation(found: Reconciliation) -> pb.Reconciliation:
    return pb.Reconciliation(
        name=found.name,
        provider=payouts_pb2.Provider.Value(f"PROVIDER_{found.provider}"),
        start_time=to_timestamp(found.start_time),
        end_time=to_timestamp(found.end_time),
        create_time=to_timestamp(found.create_time),
        transaction_count=found.transaction_count,
        totals=map(_to_total, found.totals),
        mismatch_count=found.mismatch_count,
        findings=map(_to_finding, found.findings),
    )


def _to_total(total: Total) -> pb.ReconciliationTotal:
    def money(minor: int) -> MoneyMessage:
        return Money(total.currency, minor).to_message()

    return pb.ReconciliationTotal(
        provider_amount=money(total.provider_minor),
        ledger_amount=money(total.ledger_minor),
        provider_fee=money(total.provider_fee_minor),
        ledger_fee=money(total.ledger_fee_minor),
        open_amount=money(total.open_minor),
    )


def _to_finding(finding: Finding) -> pb.Finding:
    theirs, ours = finding.provider_amount, finding.ledger_amount
    return pb.Finding(
        kind=pb.Finding.Kind.Value(f"KIND_{finding.kind}"),
        payout=f"payouts/{finding.payout_id}" if finding.payout_id else "",
        attempt=finding.number,
        provider_transaction_id=finding.transaction_id,
        provider_amount=theirs.to_message() if theirs else None,
        ledger_amount=ours.to_message() if ours else None,
        time=to_timestamp(finding.time),
        description=finding.description,
        provider_fee=finding.provider_fee.to_message() if finding.provider_fee else None,
        ledger_fee=finding.ledger_fee.to_message() if finding.ledger_fee else None,
    )


def to_kill_switch(found: KillSwitch) -> pb.KillSwitch:
    return pb.KillSwitch(
        is_halted=bool(found.halts),
        halts=map(_to_halt, found.halts),
        lifted_halts=map(_to_halt, found.lifted_halts),
        # The event that resumes payouts is the lifting of the last halt.
        resume=_to_resume(found.latest) if found.latest and not found.halts else None,
    )


def _to_resume(event: Event) -> pb.KillSwitch.Resume:
    return pb.KillSwitch.Resume(
        reason=event.reason, actor=event.actor, create_time=to_timestamp(event.time)
    )


def _to_halt(halt: Event) -> pb.KillSwitch.Halt:
    return pb.KillSwitch.Halt(
        cause=pb.KillSwitch.Cause.Value(f"CAUSE_{halt.cause}"),
        reason=halt.reason,
        actor=halt.actor,
        create_time=to_timestamp(halt.time),
    )
