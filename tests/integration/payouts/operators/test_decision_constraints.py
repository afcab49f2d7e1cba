"""Constraints on operators' decisions that hold even for the owner of the schema."""

import pytest

from servicekit.postgres.database import Database
from tests.integration.payouts.ledger.direct_writes import (
    BRAND,
    OTHERS,
    attempt,
    fund,
    post,
    refused_by,
    reserve,
    state_of,
    transfer_legs,
)

RESERVED, AVAILABLE, PAYPAL = ("brands/acme", "reserved"), BRAND[0][:2], ("provider", "paypal")
WRITTEN_OFF = ("platform", "written_off")


@pytest.fixture
async def database(owner: Database) -> Database:
    return owner


@pytest.fixture(autouse=True)
async def accounts(database: Database) -> None:
    for owner, kind, currency in [*BRAND, *OTHERS, (*WRITTEN_OFF, "USD")]:
        await database.execute(
            "INSERT INTO account (owner, kind, currency) VALUES (%s, %s, %s)",
            (owner, kind, currency),
        )
    await fund(database)
    await reserve(database, 100, 100)


async def decide(
    database: Database,
    kind: str,
    number: int | None = None,
    *,
    pays_again: bool = False,
    beneficiary: str | None = None,
    outcome: str | None = None,
) -> None:
    await database.execute(
        """
        INSERT INTO decision (payout_id, kind, attempt_number, reason, actor, pays_again,
                              beneficiary, outcome, create_time)
        VALUES ('p1', %s, %s, 'Because', 'staff/olga', %s, %s, %s, now())
        """,
        (kind, number, pays_again, beneficiary, outcome),
    )


async def settle(database: Database, number: int) -> None:
    async with database.transaction():
        await database.execute("UPDATE attempt SET state = 'PAID' WHERE number = %s", (number,))
        legs = transfer_legs(RESERVED, PAYPAL, 100)
        await post(database, f"s{number}", "SETTLE", legs, payout="p1", attempt=number)


async def give_back(database: Database, number: int) -> None:
    async with database.transaction():
        await database.execute("UPDATE attempt SET state = 'RETURNED' WHERE number = %s", (number,))
        legs = transfer_legs(PAYPAL, RESERVED, 100)
        await post(database, f"b{number}", "RETURN", legs, payout="p1", attempt=number)


async def test_a_returned_payment_is_paid_again_only_after_a_decision(
    database: Database,
) -> None:
    await attempt(database)
    await settle(database, 1)
    await give_back(database, 1)
    with refused_by("was paid before"):
        await attempt(database, 2)
    await decide(database, "RETRY", 2)
    with refused_by("was paid before"):
        await attempt(database, 2)
    await decide(database, "RETRY", 3, pays_again=True)
    with refused_by("was paid before"):
        await attempt(database, 2)
    await decide(database, "RETRY", 2, pays_again=True)
    await attempt(database, 2)
    await settle(database, 2)
    assert await state_of(database) == "PAID"


async def test_no_decision_pays_a_payment_again_that_was_not_returned(database: Database) -> None:
    await attempt(database)
    await settle(database, 1)
    await decide(database, "RETRY", 2, pays_again=True)
    with refused_by("is not what is reserved"):
        await attempt(database, 2)
    # Not even after another reservation.
    await post(database, "more", "RESERVE", transfer_legs(AVAILABLE, RESERVED, 100), payout="p1")
    with refused_by("was paid before"):
        await attempt(database, 2)


@pytest.mark.parametrize("kept_by", [AVAILABLE, WRITTEN_OFF])
async def test_a_write_off_uses_the_whole_reservation(
    database: Database, kept_by: tuple[str, str]
) -> None:
    for minor in (99, 101):
        with refused_by("leaves|overdrawn"):
            legs = transfer_legs(RESERVED, kept_by, minor)
            await post(database, "w", "WRITE_OFF", legs, payout="p1")
    await post(database, "w", "WRITE_OFF", transfer_legs(RESERVED, kept_by, 100), payout="p1")
    assert await state_of(database) == "WRITTEN_OFF"
    with refused_by("leaves|overdrawn"):
        await post(database, "w2", "WRITE_OFF", transfer_legs(RESERVED, kept_by, 100), payout="p1")


@pytest.mark.parametrize("kind", ["RELEASE", "REDUCE", "WRITE_OFF"])
async def test_the_reservation_stays_while_an_attempt_is_in_progress(
    database: Database, kind: str
) -> None:
    await attempt(database)
    for state in ("SENDING", "UNKNOWN", "ACCEPTED", "UNCLAIMED", "BLOCKED"):
        await database.execute("UPDATE attempt SET state = %s", (state,))
        with refused_by("while an attempt is under way"):
            await post(database, "x", kind, transfer_legs(RESERVED, AVAILABLE, 100), payout="p1")


async def test_a_write_off_pays_nothing_out(database: Database) -> None:
    with refused_by("pays out 100"):
        await post(database, "w", "WRITE_OFF", transfer_legs(RESERVED, PAYPAL, 100), payout="p1")


@pytest.mark.parametrize(
    "statement",
    ["UPDATE decision SET reason = 'Another'", "DELETE FROM decision", "TRUNCATE decision"],
)
async def test_decisions_cannot_be_changed(
    database: Database, owner: Database, statement: str
) -> None:
    """Not even by the schema's owner."""
    await decide(database, "HOLD")
    with refused_by("only added to"):
        await owner.execute(statement)


@pytest.mark.parametrize(
    ("kind", "number"),
    [("HOLD", 1), ("WRITE_OFF", 1), ("RESUME", 1), ("RETRY", None), ("RESOLVE", None)],
)
async def test_a_decision_names_its_attempt_or_none(
    database: Database, kind: str, number: int | None
) -> None:
    beneficiary = "BRAND" if kind == "WRITE_OFF" else None
    outcome = "FOUND" if kind == "RESOLVE" else None
    with refused_by("decision_check"):
        await decide(database, kind, number, beneficiary=beneficiary, outcome=outcome)


async def test_a_decision_has_the_fields_of_its_kind(database: Database) -> None:
    for beneficiary, kind in ((None, "WRITE_OFF"), ("BRAND", "HOLD")):
        with refused_by("decision_names_beneficiary"):
            await decide(database, kind, beneficiary=beneficiary)
    for outcome, kind in ((None, "RESOLVE"), ("FOUND", "RETRY")):
        with refused_by("decision_names_outcome"):
            await decide(database, kind, 1, outcome=outcome)


async def test_only_a_retry_pays_again(database: Database) -> None:
    with refused_by("pays_again|decision_check"):
        await decide(database, "RESOLVE", 1, pays_again=True, outcome="FOUND")
