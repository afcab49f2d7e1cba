"""Deposits, balances and reservations through the real server."""

import asyncio

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub

from servicekit.errors import LiaisonError, Reason
from tests.integration.payouts.harness import Harness, usd
from tests.support.serving import refused, request_id


def _new_deposit(brand: str = "acme", minor: int = 5000) -> pb.CreateDepositRequest:
    return pb.CreateDepositRequest(
        parent=f"brands/{brand}", deposit=pb.Deposit(amount=usd(minor)), request_id=request_id()
    )


async def test_a_deposit_is_not_available_until_confirmed(harness: Harness) -> None:
    request = _new_deposit()
    deposit = await harness.brand().CreateDeposit(request)
    assert deposit.state == pb.Deposit.STATE_PENDING
    assert await harness.funds() == (0, 0)
    assert await harness.brand().CreateDeposit(request) == deposit
    confirmed = await harness.operator.ConfirmDeposit(
        pb.ConfirmDepositRequest(
            name=deposit.name, external_reference="SEPA-1", request_id=request_id()
        )
    )
    assert confirmed.state == pb.Deposit.STATE_CONFIRMED
    assert await harness.funds() == (5000, 0)
    assert await harness.balances() == {"brands/acme/available": 5000, "world/deposits": -5000}


async def test_a_deposit_is_confirmed_once(harness: Harness) -> None:
    deposit = await harness.deposit(5000, reference="SEPA-1")
    again = pb.ConfirmDepositRequest(
        name=deposit.name, external_reference="SEPA-1", request_id=request_id()
    )
    assert await harness.operator.ConfirmDeposit(again) == deposit
    again.external_reference, again.request_id = "SEPA-2", request_id()
    with refused(Reason.ILLEGAL_STATE):
        await harness.operator.ConfirmDeposit(again)
    with refused(Reason.DEPOSIT_REFERENCE_USED):
        await harness.deposit(7000, reference="SEPA-1")
    assert await harness.funds() == (5000, 0)


async def test_each_role_may_only_act_on_its_own_resources(harness: Harness) -> None:
    deposit = await harness.brand().CreateDeposit(_new_deposit())
    with refused(Reason.NOT_YOURS):
        await harness.brand("evil").CreateDeposit(_new_deposit("acme"))
    confirm = pb.ConfirmDepositRequest(
        name=deposit.name, external_reference="SEPA-1", request_id=request_id()
    )
    with refused(Reason.ROLE_NOT_ALLOWED):
        await harness.brand().ConfirmDeposit(confirm)
    confirm.name = deposit.name.replace("acme", "evil")
    with refused(Reason.NOT_FOUND):
        await harness.operator.ConfirmDeposit(confirm)
    balance = pb.GetBalanceRequest(name="brands/acme", currency_code="USD")
    with refused(Reason.NOT_YOURS):
        await harness.brand("evil").GetBalance(balance)
    await harness.operator.GetBalance(balance)
    with refused(Reason.ROLE_NOT_ALLOWED):
        await harness.brand().GetTrialBalance(pb.GetTrialBalanceRequest())
    with refused(Reason.ROLE_NOT_ALLOWED):
        await harness.operator.SendPayout(pb.SendPayoutRequest(name="payouts/p1", attempt=1))


async def test_only_its_parties_and_staff_see_a_payout(harness: Harness) -> None:
    await harness.deposit(50_000)
    await harness.reserve("p1")
    request = pb.GetPayoutRequest(name="payouts/p1")
    for channel in (
        harness.served.as_brand("acme"),
        harness.served.as_creator("anna"),
        harness.served.as_mediator(),
        harness.served.as_operator(),
        harness.served.as_service(),
    ):
        assert (await PayoutServiceStub(channel).GetPayout(request)).name == "payouts/p1"
    for channel in (harness.served.as_brand("evil"), harness.served.as_creator("eve")):
        for name in ("payouts/p1", "payouts/absent"):
            with refused(Reason.NOT_YOURS):
                await PayoutServiceStub(channel).GetPayout(pb.GetPayoutRequest(name=name))
    with refused(Reason.NOT_FOUND):
        await harness.operator.GetPayout(pb.GetPayoutRequest(name="payouts/absent"))


async def test_payouts_are_listed_newest_first_in_pages(harness: Harness) -> None:
    await harness.deposit(100_000)
    await harness.deposit(100_000, brand="other")
    for number in range(1, 4):
        await harness.reserve(f"p{number}")
    await harness.reserve("p4", brand="other", creator="bob")
    names: list[str] = []
    token = ""
    for _ in range(2):
        page = await harness.brand().ListPayouts(
            pb.ListPayoutsRequest(page_size=2, page_token=token)
        )
        names += [payout.name for payout in page.payouts]
        token = page.next_page_token
    assert (names, token) == (["payouts/p3", "payouts/p2", "payouts/p1"], "")
    bob = PayoutServiceStub(harness.served.as_creator("bob"))
    listed = await bob.ListPayouts(pb.ListPayoutsRequest())
    assert [payout.name for payout in listed.payouts] == ["payouts/p4"]
    everything = await harness.operator.ListPayouts(pb.ListPayoutsRequest(page_size=2))
    assert [payout.name for payout in everything.payouts] == ["payouts/p4", "payouts/p3"]
    with refused(Reason.INVALID_FIELDS, "page_token"):
        await harness.brand().ListPayouts(
            pb.ListPayoutsRequest(page_token=everything.next_page_token)
        )


async def test_a_reservation_covers_reward_and_maximum_fee_once(harness: Harness) -> None:
    await harness.deposit(50_000)
    for _ in range(2):
        await harness.reserve("p1", "p2")
        assert await harness.funds() == (29_600, 20_400)
    payout = await harness.get("p1")
    assert payout.state == pb.Payout.STATE_RESERVED
    assert (payout.brand, payout.creator, payout.amount) == (
        "brands/acme",
        "creators/anna",
        usd(10_000),
    )
    with refused(Reason.INVALID_FIELDS, "reservations[0].payout"):
        await harness.reserve("p1", minor=10_001)
    with refused(Reason.INVALID_FIELDS, "reservations[0].payout", "reservations[1].payout"):
        await harness.reserve("p1", "p2", "p3", creator="eve")
    await harness.balances()


async def test_rewards_are_reserved_all_or_nothing(harness: Harness) -> None:
    await harness.deposit(20_399)
    with refused(Reason.INSUFFICIENT_FUNDS) as caught:
        await harness.reserve("p1", "p2")
    assert caught.value.metadata == {"available": "203.99 USD", "needed": "204.00 USD"}
    with refused(Reason.NOT_FOUND):
        await harness.get("p1")
    assert await harness.funds() == (20_399, 0)


async def test_concurrent_reservations_never_overdraw(harness: Harness) -> None:
    await harness.deposit(5 * 10_200)
    answers = await asyncio.gather(
        *(harness.reserve(f"p{number}") for number in range(12)), return_exceptions=True
    )
    refusals = [answer for answer in answers if isinstance(answer, LiaisonError)]
    assert len(refusals) == 7
    assert {refusal.reason for refusal in refusals} == {Reason.INSUFFICIENT_FUNDS}
    assert await harness.funds() == (0, 5 * 10_200)
    await harness.balances()


async def test_concurrent_equal_reservations_are_made_once(harness: Harness) -> None:
    await harness.deposit(50_000)
    await asyncio.gather(*(harness.reserve("p1", "p2") for _ in range(5)))
    assert await harness.funds() == (29_600, 20_400)


async def test_a_reward_is_released_once(harness: Harness) -> None:
    await harness.deposit(50_000)
    await harness.reserve("p1")
    for _ in range(2):
        await harness.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/p1"))
        assert await harness.funds() == (50_000, 0)
    assert (await harness.get("p1")).state == pb.Payout.STATE_RELEASED
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1")
    with refused(Reason.ILLEGAL_STATE):
        await harness.worker.ReduceReward(
            pb.ReduceRewardRequest(name="payouts/p1", amount=usd(10_000))
        )
    with refused(Reason.NOT_FOUND):
        await harness.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/absent"))


async def test_reducing_a_reward_releases_the_rest_once(harness: Harness) -> None:
    await harness.deposit(50_000)
    await harness.reserve("p1")
    reduce = pb.ReduceRewardRequest(name="payouts/p1", amount=usd(4_000))
    for _ in range(2):
        await harness.worker.ReduceReward(reduce)
        assert await harness.funds() == (45_920, 4_080)
    await harness.reserve("p1")  # the first reservation may still be repeated
    assert await harness.funds() == (45_920, 4_080)
    reduce.amount.CopyFrom(usd(4_001))
    with refused(Reason.INVALID_FIELDS, "amount"):
        await harness.worker.ReduceReward(reduce)


@pytest.mark.parametrize("amount", [0, -5, 10**13])
async def test_amounts_out_of_range_are_refused(harness: Harness, amount: int) -> None:
    with refused(Reason.INVALID_FIELDS, "deposit.amount"):
        await harness.brand().CreateDeposit(_new_deposit(minor=amount))


async def test_invalid_fields_are_named(harness: Harness) -> None:
    with refused(Reason.INVALID_FIELDS, "name"):
        await harness.operator.ConfirmDeposit(
            pb.ConfirmDepositRequest(
                name="deposits/1", external_reference="x", request_id=request_id()
            )
        )
    with refused(Reason.INVALID_FIELDS, "reservations"):
        await harness.worker.ReserveRewards(
            pb.ReserveRewardsRequest(brand="brands/acme", amount=usd(1))
        )
    with refused(Reason.INVALID_FIELDS, "reservations"):
        await harness.reserve("p1", "p1")
    with refused(Reason.INVALID_FIELDS, "currency_code"):
        await harness.operator.GetBalance(
            pb.GetBalanceRequest(name="brands/acme", currency_code="XXX")
        )
    with refused(Reason.INVALID_FIELDS, "attempt"):
        await harness.worker.SendPayout(pb.SendPayoutRequest(name="payouts/p1"))
