"""`request_id` (AIP-155): same key and same body, the first answer; another body, an error.

Keys are scoped by caller and method, and kept in each service's own schema, in the table
`request` that servicekit's own migration creates there.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.message import Message

from servicekit.batching import Batcher
from servicekit.errors import request_id_reused
from servicekit.postgres.database import Database


@dataclass(frozen=True)
class Key:
    """One caller's use of one `request_id` for one method."""

    scope: str
    request_id: UUID
    body_sha256: bytes


def key_of(subject: str, method: str, request_id: UUID, request: Message) -> Key:
    body = request.SerializeToString(deterministic=True)
    return Key(f"{subject} {method}", request_id, hashlib.sha256(body).digest())


class IdempotencyKeys:
    """The keys of one service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # What a transaction does stays with it; calls without one share their statements.
        alone = database.is_in_transaction
        self._claims = Batcher(self._claim_all, bypass=alone)
        self._completions = Batcher(self._complete_all, bypass=alone)

    async def claim(self, key: Key) -> bytes | None:
        """The first answer, serialised, if there is one already; else the key is now taken.

        In a transaction, a second caller with the same key waits here until the first has ended.

        Raises:
            InvalidArgument: the key was used with another body.
        """
        while not await self._claims.submit(key):
            row = await self._database.fetch_one(
                "SELECT body_sha256, response FROM request WHERE scope = %s AND request_id = %s",
                (key.scope, key.request_id),
            )
            if row is not None and row["body_sha256"] != key.body_sha256:
                raise request_id_reused(str(key.request_id))
            if row is not None:
                response: bytes | None = row["response"]
                return response
            # The command that had it was refused meanwhile and gave it back.
        return None

    async def complete(self, key: Key, response: Message) -> None:
        await self._completions.submit((key, response.SerializeToString()))

    async def release(self, key: Key) -> None:
        """Gives a key back whose command was refused, so that nothing stands in a later try's way.

        Only one's own: the key of a command with another body stays taken, whatever becomes of it.
        """
        await self._database.execute(
            "DELETE FROM request"
            " WHERE scope = %s AND request_id = %s AND body_sha256 = %s AND response IS NULL",
            (key.scope, key.request_id, key.body_sha256),
        )

    async def _claim_all(self, keys: list[Key]) -> list[bool]:
        rows = await self._database.fetch_all(
            # In an order, so that two servers' batches never wait for each other in a circle.
            """
            INSERT INTO request (scope, request_id, body_sha256)
            SELECT * FROM unnest(%s::text[], %s::uuid[], %s::bytea[]) ORDER BY 1, 2
            ON CONFLICT DO NOTHING RETURNING scope, request_id
            """,
            (
                [key.scope for key in keys],
                [key.request_id for key in keys],
                [key.body_sha256 for key in keys],
            ),
        )
        free = {(row["scope"], row["request_id"]) for row in rows}
        is_ours = []
        for key in keys:
            name = (key.scope, key.request_id)
            is_ours.append(name in free)
            free.discard(name)  # the same key again, in one batch: it goes to the first alone
        return is_ours

    async def _complete_all(self, completions: list[tuple[Key, bytes]]) -> list[None]:
        # The same key twice, of a command repeated meanwhile: its first answer.
        answers = {(key.scope, key.request_id): (key, one) for key, one in reversed(completions)}
        await self._database.execute(
            # The keys are there. A conflict finds each by the index, whatever statistics say of a
            # table that was small a moment ago; an UPDATE would read all of it. What is answered
            # is answered: the first answer stays.
            """
            INSERT INTO request (scope, request_id, body_sha256, response)
            SELECT * FROM unnest(%s::text[], %s::uuid[], %s::bytea[], %s::bytea[]) ORDER BY 1, 2
            ON CONFLICT (scope, request_id) DO UPDATE SET response = excluded.response
             WHERE request.response IS NULL AND request.body_sha256 = excluded.body_sha256
            """,
            (
                [scope for scope, _ in answers],
                [request_id for _, request_id in answers],
                [key.body_sha256 for key, _ in answers.values()],
                [response for _, response in answers.values()],
            ),
        )
        return [None] * len(completions)
