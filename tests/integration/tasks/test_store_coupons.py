"""Store coupons of a draft (R90, R92)."""

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import Reason
from tests.integration.tasks.harness import Harness
from tests.support.serving import refused

COUPONS = [
    pb.StoreCoupons(store_id="1" * 20, coupon_ids=[f"Spring_{n}-x" for n in range(50)]),
    pb.StoreCoupons(store_id="0", coupon_ids=["a" * 64]),
]


async def test_coupons_are_stored_and_returned_unchanged(
    harness: Harness,
) -> None:
    task = await harness.task(store_coupons=COUPONS)
    assert list(task.store_coupons) == COUPONS
    for reader in (harness.creator(), harness.operator()):
        assert await reader.GetTask(pb.GetTaskRequest(name=task.name)) == task


async def test_content_without_coupons_is_readable(harness: Harness) -> None:
    draft = await harness.draft(store_coupons=COUPONS)
    await harness.database.execute("UPDATE task SET content = content - 'store_coupons'")
    found = await harness.brand().GetTask(pb.GetTaskRequest(name=draft.name))
    assert list(found.store_coupons) == []


def _coupons(*ids: str, store: str = "1100") -> pb.StoreCoupons:
    return pb.StoreCoupons(store_id=store, coupon_ids=ids or ["AUTUMN-5"])


_NOT_GIVEN: list[tuple[list[pb.StoreCoupons], set[tuple[str, str]]]] = [
    ([_coupons(store="")], {("task.store_coupons[0].store_id", "REQUIRED")}),
    ([pb.StoreCoupons(store_id="1")], {("task.store_coupons[0].coupon_ids", "REQUIRED")}),
    ([_coupons(store=str(n)) for n in range(11)], {("task.store_coupons", "COUNT")}),
    ([_coupons(), _coupons("WINTER")], {("task.store_coupons", "R92")}),
    ([_coupons(*map(str, range(51)))], {("task.store_coupons[0].coupon_ids", "COUNT")}),
    ([_coupons("A", "A")], {("task.store_coupons[0].coupon_ids", "UNIQUE")}),
    (
        # Arabic digits match \d but are not allowed.
        [_coupons(store="1" * 21), _coupons(store="\u0661"), _coupons(store="11a")],
        {(f"task.store_coupons[{n}].store_id", "R90") for n in range(3)},
    ),
    (
        [_coupons("a" * 65, "A", "a b", "é", "A\n", "", "A/B")],
        {(f"task.store_coupons[0].coupon_ids[{n}]", "R90") for n in (0, 2, 3, 4, 5, 6)},
    ),
]


@pytest.mark.parametrize(("coupons", "violations"), _NOT_GIVEN)
async def test_all_malformed_coupons_are_named_at_once(
    harness: Harness, coupons: list[pb.StoreCoupons], violations: set[tuple[str, str]]
) -> None:
    with refused(Reason.INVALID_FIELDS, *(field for field, _ in violations)) as caught:
        await harness.draft(store_coupons=coupons)
    assert {(one.field, one.rule) for one in caught.value.violations} == violations
