"""Adopting the first batch when PayPal reports a duplicate. More responses are in
`test_failure_matrix_responses`."""

from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.scripted_paypal import CREATED, DUPLICATE, Answering, shown_batch
from tests.integration.payouts.sending.assertions import attempt_of
from tests.support.serving import refused


async def test_the_first_batch_of_a_duplicate_is_adopted(
    harness: Harness, answering: Answering
) -> None:
    send = await answering((400, DUPLICATE), (200, shown_batch()))
    await send()
    attempt = await attempt_of(harness)
    assert attempt.state == pb.Attempt.STATE_ACCEPTED
    assert (attempt.provider_batch_id, attempt.provider_item_id) == ("FIRST", "I1")


async def test_a_payment_whose_first_batch_was_denied_is_sent_again(
    harness: Harness, answering: Answering
) -> None:
    send = await answering((400, DUPLICATE), (200, shown_batch(state="DENIED")), (201, CREATED))
    with refused(Reason.OUTCOME_UNKNOWN):
        await send()
    await send()
    assert (await attempt_of(harness)).provider_batch_id == "B1"
