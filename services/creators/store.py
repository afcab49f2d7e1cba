"""SQL of creators, decisions and observed statistics."""

from typing import Any, LiteralString, TypeVar

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from servicekit.creator_levels import CreatorLevel
from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.creators.domain import (
    Account,
    Appeal,
    Creator,
    Decision,
    DecisionKind,
    Refusal,
    State,
    Statistics,
)
from services.creators.live_streams import Application
from services.creators.live_streams import State as LiveStreamState

T = TypeVar("T")

_SELECT_ALL: LiteralString = "SELECT * FROM creator"
_SELECT: LiteralString = f"{_SELECT_ALL} WHERE id = %s"

_ACCOUNT = TypeAdapter(Account)
_APPEAL = TypeAdapter(Appeal)
_APPLICATION = TypeAdapter(Application)
_REFUSALS = TypeAdapter(tuple[Refusal, ...])
_STATISTICS = TypeAdapter(Statistics)


class CreatorStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, creator: Creator) -> bool:
        added = await self._database.execute(
            """
            INSERT INTO creator (id, state, display_name, mobile_number, dingtalk_id,
                                 create_time, update_time)
            VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            (
                creator.id,
                creator.state,
                creator.display_name,
                creator.mobile_number,
                creator.dingtalk_id,
                creator.create_time,
                creator.update_time,
            ),
        )
        return added == 1

    async def get(self, creator_id: str, *, for_update: bool = False) -> Creator | None:
        row = await self._database.fetch_one(
            f"{_SELECT} FOR UPDATE" if for_update else _SELECT, (creator_id,)
        )
        return _creator(row) if row else None

    async def list_by_id(self, creator_ids: list[str]) -> list[Creator]:
        rows = await self._database.fetch_all(
            f"{_SELECT_ALL} WHERE id = ANY(%s) ORDER BY array_position(%s, id)",
            (creator_ids, creator_ids),
        )
        return [_creator(row) for row in rows]

    async def save(self, creator: Creator) -> None:
        await self._database.execute(
            """
            UPDATE creator
               SET state = %(state)s, account = %(account)s, statistics = %(statistics)s,
                   refusals = %(refusals)s, refused_by = %(refused_by)s, appeal = %(appeal)s,
                   level = %(level)s, live_stream_application = %(live_stream_application)s,
                   paypal_receiver = %(paypal_receiver)s,
                   paypal_receiver_name_time = %(paypal_receiver_name_time)s,
                   update_time = %(update_time)s
             WHERE id = %(id)s
            """,
            {
                "id": creator.id,
                "state": creator.state,
                "account": _json(_ACCOUNT, creator.account),
                "statistics": _json(_STATISTICS, creator.statistics),
                "refusals": _json(_REFUSALS, creator.refusals),
                "refused_by": creator.refused_by,
                "appeal": _json(_APPEAL, creator.appeal),
                "level": creator.level,
                "live_stream_application": _json(_APPLICATION, creator.live_stream_application),
                "paypal_receiver": creator.paypal_receiver,
                "paypal_receiver_name_time": creator.paypal_receiver_name_time,
                "update_time": creator.update_time,
            },
        )

    async def get_observation(self, creator_id: str, account: Account) -> Statistics | None:
        row = await self._database.fetch_one(
            "SELECT statistics FROM observation WHERE creator_id = %s AND account_key = %s",
            (creator_id, account.key),
        )
        return _STATISTICS.validate_python(row["statistics"]) if row else None

    async def save_observation(
        self, creator_id: str, account: Account, statistics: Statistics
    ) -> None:
        """The creator must be locked, so that an older observation cannot overwrite a newer one."""
        await self._database.execute(
            """
            INSERT INTO observation (creator_id, account_key, statistics) VALUES (%s, %s, %s)
            ON CONFLICT (creator_id, account_key) DO UPDATE SET statistics = EXCLUDED.statistics
            """,
            (creator_id, account.key, _json(_STATISTICS, statistics)),
        )

    async def list_creators(
        self, state: State | None, live_stream_state: LiveStreamState | None, page: Page
    ) -> list[Creator]:
        # Only the given filters are in the statement, so that each combination can use an index.
        conditions: list[LiteralString] = ["TRUE"]
        if state is not None:
            conditions.append("state = %(state)s")
        if live_stream_state is not None:
            conditions.append("live_stream_application IS NOT NULL")
            conditions.append("live_stream_application ->> 'state' = %(live_stream_state)s")
        if page.after is not None:
            conditions.append("(create_time, id) > (%(time)s, %(id)s)")
        where: LiteralString = " AND ".join(conditions)
        rows = await self._database.fetch_all(
            f"{_SELECT_ALL} WHERE {where} ORDER BY create_time, id LIMIT %(size)s",
            {"state": state, "live_stream_state": live_stream_state, **page.keyset},
        )
        return [_creator(row) for row in rows]

    async def add_decision(self, creator_id: str, decision: Decision) -> None:
        """The creator must be locked, so that its decisions are numbered without gaps."""
        await self._database.execute(
            """
            INSERT INTO creator_decision
                   (creator_id, number, kind, decided_by, decide_time, comment, refusals, level,
                    account, appeal, live_stream_application)
            SELECT %(creator_id)s, coalesce(max(number), 0) + 1, %(kind)s, %(decided_by)s,
                   %(decide_time)s, %(comment)s, %(refusals)s, %(level)s, %(account)s, %(appeal)s,
                   %(live_stream_application)s
              FROM creator_decision WHERE creator_id = %(creator_id)s
            """,
            {
                "creator_id": creator_id,
                "kind": decision.kind,
                "decided_by": decision.decided_by,
                "decide_time": decision.decide_time,
                "comment": decision.comment,
                "refusals": _json(_REFUSALS, decision.refusals),
                "level": decision.level,
                "account": _json(_ACCOUNT, decision.account),
                "appeal": _json(_APPEAL, decision.appeal),
                "live_stream_application": _json(_APPLICATION, decision.live_stream_application),
            },
        )

    async def list_decisions(self, creator_id: str, page: Page) -> list[Decision]:
        rows = await self._database.fetch_all(
            """
            SELECT * FROM creator_decision
             WHERE creator_id = %(creator_id)s
               AND (%(id)s::text IS NULL OR lpad(number::text, 9, '0') > %(id)s)
             ORDER BY number LIMIT %(size)s
            """,
            {"creator_id": creator_id, **page.keyset},
        )
        return [_decision(row) for row in rows]


def _json(adapter: TypeAdapter[T], value: T | None) -> Jsonb | None:
    return None if value is None else Jsonb(adapter.dump_python(value, mode="json"))


def _read(adapter: TypeAdapter[T], value: Any) -> T | None:
    return None if value is None else adapter.validate_python(value)


def _creator(row: DictRow) -> Creator:
    return Creator(
        id=row["id"],
        state=State(row["state"]),
        display_name=row["display_name"],
        mobile_number=row["mobile_number"],
        dingtalk_id=row["dingtalk_id"],
        account=_read(_ACCOUNT, row["account"]),
        statistics=_read(_STATISTICS, row["statistics"]),
        refusals=_REFUSALS.validate_python(row["refusals"]),
        refused_by=row["refused_by"],
        appeal=_read(_APPEAL, row["appeal"]),
        level=CreatorLevel(row["level"]) if row["level"] else None,
        live_stream_application=_read(_APPLICATION, row["live_stream_application"]),
        paypal_receiver=row["paypal_receiver"],
        paypal_receiver_name_time=row["paypal_receiver_name_time"],
        create_time=row["create_time"],
        update_time=row["update_time"],
    )


def _decision(row: DictRow) -> Decision:
    return Decision(
        number=row["number"],
        kind=DecisionKind(row["kind"]),
        decided_by=row["decided_by"],
        decide_time=row["decide_time"],
        comment=row["comment"],
        refusals=_REFUSALS.validate_python(row["refusals"]),
        level=CreatorLevel(row["level"]) if row["level"] else None,
        account=_read(_ACCOUNT, row["account"]),
        appeal=_read(_APPEAL, row["appeal"]),
        live_stream_application=_read(_APPLICATION, row["live_stream_application"]),
    )
