"""The creators' SQL."""

from dataclasses import asdict
from typing import LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from servicekit.database import Database
from servicekit.pagination import Page
from services.creators.domain import Account, AccountClass, Creator, Level, Refusal, State

_SELECT: LiteralString = "SELECT * FROM creator WHERE id = %s"


class PostgresCreatorStore:
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

    async def save(self, creator: Creator) -> None:
        await self._database.execute(
            """
            UPDATE creator
               SET state = %(state)s, account = %(account)s, refusals = %(refusals)s,
                   level = %(level)s, has_live_stream_access = %(has_live_stream_access)s,
                   paypal_receiver = %(paypal_receiver)s, update_time = %(update_time)s
             WHERE id = %(id)s
            """,
            {
                "id": creator.id,
                "state": creator.state,
                "account": Jsonb(asdict(creator.account)) if creator.account else None,
                "refusals": Jsonb([asdict(refusal) for refusal in creator.refusals]),
                "level": creator.level,
                "has_live_stream_access": creator.has_live_stream_access,
                "paypal_receiver": creator.paypal_receiver,
                "update_time": creator.update_time,
            },
        )

    async def list(self, state: State | None, page: Page) -> list[Creator]:
        rows = await self._database.fetch_all(
            """
            SELECT * FROM creator
             WHERE (%(state)s::text IS NULL OR state = %(state)s)
               AND (%(time)s::timestamptz IS NULL OR (create_time, id) > (%(time)s, %(id)s))
             ORDER BY create_time, id LIMIT %(size)s
            """,
            {
                "state": state,
                **page.keyset,
            },
        )
        return [_creator(row) for row in rows]


def _creator(row: DictRow) -> Creator:
    account = row["account"]
    return Creator(
        id=row["id"],
        state=State(row["state"]),
        display_name=row["display_name"],
        mobile_number=row["mobile_number"],
        dingtalk_id=row["dingtalk_id"],
        account=(
            Account(**account | {"account_class": AccountClass(account["account_class"])})
            if account
            else None
        ),
        refusals=tuple(Refusal(**refusal) for refusal in row["refusals"]),
        level=Level(row["level"]) if row["level"] else None,
        has_live_stream_access=row["has_live_stream_access"],
        paypal_receiver=row["paypal_receiver"],
        create_time=row["create_time"],
        update_time=row["update_time"],
    )
