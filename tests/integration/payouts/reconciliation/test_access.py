"""Who may reconcile and read reconciliations, and that records are final."""

import psycopg
import pytest
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub

from servicekit.errors import LiaisonError, Reason
from servicekit.postgres.database import Database
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.provider_reports import ChosenReports, moved, run
from tests.support.serving import refused, request_id


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reconciliation SET mismatch_count = 0",
        "DELETE FROM finding",
        "UPDATE finding SET description = ''",
        "DELETE FROM reported_transaction",
        "UPDATE reconciliation_total SET ledger_minor = provider_minor",
        "DELETE FROM reconciled_transaction",
        "UPDATE kill_switch_event SET kind = 'RESUME'",
        "TRUNCATE kill_switch_event CASCADE",
        "TRUNCATE reconciliation CASCADE",
    ],
)
async def test_reconciliations_cannot_be_changed(
    harness: Harness, paid: ChosenReports, owner: Database, statement: str
) -> None:
    """Not even by the schema's owner."""
    paid.transactions.append(moved("T-foreign", 500))
    await run(harness)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        await owner.execute(statement)  # type: ignore[arg-type]  # a test's own text


async def test_only_operators_and_workers_reconcile(harness: Harness) -> None:
    for channel in (harness.served.as_brand("acme"), harness.served.as_creator("anna")):
        stub = ReconciliationServiceStub(channel)
        calls = [
            stub.RunReconciliation(
                pb.RunReconciliationRequest(
                    request_id=request_id(), provider=payouts_pb2.PROVIDER_PAYPAL
                )
            ),
            stub.ListReconciliations(pb.ListReconciliationsRequest()),
            stub.GetKillSwitch(pb.GetKillSwitchRequest()),
            stub.ResumePayouts(pb.ResumePayoutsRequest(reason="x", request_id=request_id())),
        ]
        for call in calls:
            with pytest.raises(LiaisonError) as caught:
                await call
            assert caught.value.reason is Reason.ROLE_NOT_ALLOWED


@pytest.mark.parametrize("id_", ["1", "x", "99999999999999999999"])
async def test_an_unknown_reconciliation_is_not_found(harness: Harness, id_: str) -> None:
    with refused(Reason.NOT_FOUND):
        await harness.reconciler.GetReconciliation(
            pb.GetReconciliationRequest(name=f"reconciliations/{id_}")
        )
