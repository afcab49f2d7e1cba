"""What a payout comes to when PayPal answers with something else than a batch; what the failure
matrix asks for is in `test_failure_matrix`."""

from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.scripted_paypal import CREATED, DUPLICATE, Answering, shown_batch
from tests.support.serving import refused


async def attempt_of(harness: Harness) -> pb.Attempt:
    return (await harness.get("p1")).attempts[0]


async def test_a_duplicate_is_adopted_when_it_is_ours(
    harness: Harness, answering: Answering
) -> None:
    send = await answering((400, DUPLICATE), (200, shown_batch()))
    await send()
    attempt = await attempt_of(harness)
    assert attempt.state == pb.Attempt.STATE_ACCEPTED
    assert (attempt.provider_batch_id, attempt.provider_item_id) == ("FIRST", "I1")


async def test_a_duplicate_that_was_denied_meanwhile_is_sent_anew(
    harness: Harness, answering: Answering
) -> None:
    send = await answering((400, DUPLICATE), (200, shown_batch(state="DENIED")), (201, CREATED))
    with refused(Reason.OUTCOME_UNKNOWN):
        await send()
    await send()
    assert (await attempt_of(harness)).provider_batch_id == "B1"
