"""Creators of before appeals, statistics and live-stream forms are there after the migrations."""

from collections.abc import AsyncIterator
from importlib.resources import files

import pytest
from liaison.creators.v1 import creators_pb2 as pb
from psycopg.types.json import Jsonb

from devstack.access import Access
from servicekit.errors import Reason
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate
from tests.integration.creators.harness import (
    INTERNAL,
    Harness,
    access_review,
    appeal,
    application,
    harness_of,
    refusal,
)
from tests.support.databases import Databases

LATER_MIGRATIONS = [
    "0002_appeals_statistics_live_streams.sql",
    "0003_observations.sql",
    "0004_payout_account.sql",
]
ACCOUNT = {
    "account_class": "INTERNAL",
    "handle": "@anna",
    "post_count": 30,
    "follower_count": 20_000,
}


def _refusal(code: str, rule_id: str, description: str) -> dict[str, str]:
    return {"code": code, "rule_id": rule_id, "description": description}


ROWS: list[tuple[str, str, dict[str, object] | None, list[dict[str, str]], str | None, bool]] = [
    ("rita", "REGISTERED", None, [], None, False),
    ("petra", "PENDING_REVIEW", ACCOUNT, [], None, False),
    ("adam", "ADMITTED", ACCOUNT, [], "JUNIOR", True),
    ("bea", "ADMITTED", ACCOUNT, [], "NEWCOMER", False),
    (
        "nora",
        "REFUSED",
        ACCOUNT | {"post_count": 3},
        [_refusal("POSTS_TOO_FEW", "R3", "3 posts")],
        None,
        False,
    ),
    (
        "sam",
        "REFUSED",
        ACCOUNT,
        [_refusal("DULL", "", "Not fun"), _refusal("PICTURES_POOR", "R7", "")],
        None,
        False,
    ),
]


@pytest.fixture
async def migrated(access: Access, databases: Databases) -> AsyncIterator[Harness]:
    async with Database(await databases.fresh("creators"), pool_size=4) as database:
        await _go_back(database)
        for row in ROWS:
            id_, state, account, refusals, level, has_access = row
            await database.execute(
                """
                INSERT INTO creator (id, state, display_name, mobile_number, dingtalk_id, account,
                                     refusals, level, has_live_stream_access, create_time,
                                     update_time)
                VALUES (%s, %s, %s, '+34612345678', 'x', %s, %s, %s, %s, '2026-01-01', '2026-02-01')
                """,
                (
                    id_,
                    state,
                    id_.title(),
                    account and Jsonb(account),
                    Jsonb(refusals),
                    level,
                    has_access,
                ),
            )
        await migrate(database, "services.creators")
        async with harness_of(access, database) as harness:
            yield harness


async def _go_back(database: Database) -> None:
    """To where only the first migration had been applied."""
    await database.execute("DROP TABLE observation, creator_decision, creator")
    await database.execute("DELETE FROM migration WHERE name = ANY(%s)", (LATER_MIGRATIONS,))
    first = files("services.creators") / "migrations" / "0001_creators.sql"
    await database.execute(first.read_bytes())  # type: ignore[arg-type]  # a script of our own


async def test_everyone_is_as_before(migrated: Harness) -> None:
    found = {id_: await migrated.get(id_) for id_, *_ in ROWS}
    assert [found[id_].state for id_, *_ in ROWS] == [
        pb.Creator.State.Value(f"STATE_{state}") for _, state, *_ in ROWS
    ]
    assert not found["rita"].HasField("statistics")
    assert found["petra"].account.account_class == INTERNAL
    assert found["petra"].statistics.follower_count == 20_000
    assert found["petra"].statistics.source == pb.STATISTICS_SOURCE_DECLARED
    assert found["adam"].level == pb.CREATOR_LEVEL_JUNIOR
    assert [id_ for id_, creator in found.items() if creator.live_stream_access] == ["adam"]
    assert (found["nora"].refused_by, found["sam"].refused_by) == ("system", "staff/unrecorded")
    assert [one.rule_id for one in found["nora"].unmet_criteria] == ["R3"]


async def test_reasons_in_free_text_become_codes_and_words(migrated: Harness) -> None:
    sam = await migrated.get("sam")
    assert [(one.code, one.rule_id, one.description) for one in sam.refusals] == [
        (pb.REFUSAL_CODE_OTHER, "R43", "DULL: Not fun"),
        (pb.REFUSAL_CODE_PICTURES_POOR, "R7", ""),
    ]
    [decision] = await migrated.decisions("sam")
    assert decision.refusals == sam.refusals
    assert [len(await migrated.decisions(id_)) for id_, *_ in ROWS] == [0, 0, 1, 1, 1, 1]


async def test_what_is_new_works_for_them_too(migrated: Harness) -> None:
    assert (await migrated.creator("sam").AppealAdmission(appeal("sam"))).HasField("appeal")
    async with migrated.refuses(Reason.APPEAL_NOT_ALLOWED):
        await migrated.creator("nora").AppealAdmission(appeal("nora"))
    revoked = await migrated.operator().ReviewLiveStreamAccess(
        access_review("REVOKE", "No longer", "adam")
    )
    assert not revoked.live_stream_access
    numbers = [one.name.rpartition("/")[2] for one in await migrated.decisions("adam")]
    assert numbers == ["1", "2"]


async def test_counts_that_differ_from_the_declared_were_observed(migrated: Harness) -> None:
    database = migrated.database
    await database.execute(
        """
        UPDATE creator
           SET statistics = statistics - 'source'
                            || CASE id WHEN 'petra' THEN '{"post_count": 7}'::jsonb ELSE '{}' END
         WHERE statistics IS NOT NULL
        """
    )
    await database.execute("DROP TABLE observation")
    await database.execute("DELETE FROM migration WHERE name = %s", (LATER_MIGRATIONS[1],))
    await migrate(database, "services.creators")
    observed = await migrated.get("petra")
    assert (observed.statistics.post_count, observed.statistics.source) == (
        7,
        pb.STATISTICS_SOURCE_OBSERVED,
    )
    assert (await migrated.get("bea")).statistics.source == pb.STATISTICS_SOURCE_DECLARED
    await migrated.operator().ReviewAdmission(refusal("petra"))
    anew = await migrated.creator("petra").ApplyForAdmission(application("petra", handle="@Anna"))
    assert anew.statistics == observed.statistics
    assert anew.refused_by == "system"
