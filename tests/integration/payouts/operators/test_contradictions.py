"""The provider pays an attempt after it ended here."""

from liaison.payouts.v1 import payouts_pb2 as pb
from structlog.testing import capture_logs

from servicekit.errors import Reason
from services.payouts.sending.handlers import ProviderEvent
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.operator_calls import not_paid
from tests.integration.payouts.operators.outcomes import DUPLICATE_WITHOUT_LINK
from tests.integration.payouts.scripted_paypal import CREATED, Answering, shown_batch
from tests.support.serving import refused


async def test_a_payment_of_an_attempt_resolved_as_not_paid_halts_all_payouts(
    harness: Harness, answering: Answering
) -> None:
    """The operator was wrong, and another attempt may have been paid since."""
    send = await answering(
        (400, DUPLICATE_WITHOUT_LINK), (200, shown_batch(state="SUCCESS", status="SUCCESS"))
    )
    await send()
    await not_paid(harness)
    hint = ProviderEvent("po-p1-1", "FIRST", item_state="SUCCESS")
    with capture_logs() as logs:
        for _ in range(2):
            assert await harness.payments.handle_event(hint) is None
    assert [log["event"] for log in logs if log["log_level"] == "critical"] == [
        "payout_contradicted",
        "payouts_halted",
        "payout_contradicted",
    ]
    (halt,) = await harness.stores.kill_switch.halts()
    assert halt.cause == "MISMATCH"
    assert "p1: attempt 1 is FAILED, and the provider pays it, as batch FIRST" in halt.reason
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p1", attempt=2)


async def test_a_late_webhook_of_a_returned_payment_halts_nothing(
    harness: Harness, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("SUCCESS", "REFUNDED")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    await harness.refresh("p1")
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_FAILED
    await harness.payments.handle_event(ProviderEvent("po-p1-1", "FIRST", item_state="SUCCESS"))
    assert await harness.stores.kill_switch.halts() == []
