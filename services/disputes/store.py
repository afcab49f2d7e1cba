"""The SQL of disputes."""

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from servicekit.pagination import Page
from servicekit.postgres.database import Database
from workflows.dispute.model import Dispute, State

_SNAPSHOT = TypeAdapter(Dispute)


class DisputeStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, dispute: Dispute) -> None:
        await self._database.execute(
            """
            INSERT INTO dispute (id, brand_id, creator_id, state, sequence, create_time, snapshot)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (id) DO UPDATE
               SET state = EXCLUDED.state, sequence = EXCLUDED.sequence,
                   snapshot = EXCLUDED.snapshot
             WHERE dispute.sequence < EXCLUDED.sequence
            """,
            (
                dispute.id,
                dispute.brand_id,
                dispute.creator_id,
                dispute.state,
                dispute.sequence,
                dispute.create_time,
                Jsonb(_SNAPSHOT.dump_python(dispute, mode="json")),
            ),
        )

    async def get(self, dispute_id: str) -> Dispute | None:
        row = await self._database.fetch_one(
            "SELECT snapshot FROM dispute WHERE id = %s", (dispute_id,)
        )
        return _SNAPSHOT.validate_python(row["snapshot"]) if row else None

    async def list(
        self, *, brand_id: str | None, creator_id: str | None, states: list[State], page: Page
    ) -> list[Dispute]:
        rows = await self._database.fetch_all(
            """
            SELECT snapshot FROM dispute
             WHERE (%(brand_id)s::text IS NULL OR brand_id = %(brand_id)s)
               AND (%(creator_id)s::text IS NULL OR creator_id = %(creator_id)s)
               AND (%(states)s::text[] = '{}' OR state = ANY(%(states)s))
               AND (%(time)s::timestamptz IS NULL OR (create_time, id) > (%(time)s, %(id)s))
             ORDER BY create_time, id LIMIT %(size)s
            """,
            {
                "brand_id": brand_id,
                "creator_id": creator_id,
                "states": [str(state) for state in states],
                **page.keyset,
            },
        )
        return [_SNAPSHOT.validate_python(row["snapshot"]) for row in rows]
