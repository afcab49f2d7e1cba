"""Idempotency keys (`request_id`, AIP-155): a repeated key with the same body gets the first
response, with another body an error.

Keys are scoped by caller and method and stored in the table `request` of each service's schema,
which servicekit's own migration creates.
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
    """A `request_id` that one caller used for one method."""

    scope: str
    request_id: UUID
    body_sha256: bytes


def key_of(subject: str, method: str, request_id: UUID, request: Message) -> Key:
    body = request.SerializeToString(deterministic=True)
    return Key(f"{subject} {method}", request_id, hashlib.sha256(body).digest())


class IdempotencyKeys:
    """The idempotency keys of one service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Within a transaction a statement runs alone; other calls share their statements.
        self._claims = Batcher(self._claim_all, bypass=database.is_in_transaction)
        self._completions = Batcher(self._complete_all, bypass=database.is_in_transaction)

    async def claim(self, key: Key) -> bytes | None:
        """Returns the first response, serialised, if there is one. Otherwise the key is now
        claimed.

        In a transaction, a second call with the same key waits until the first has ended.

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
            # Its command failed meanwhile and released the key: claim it again.
        return None

    async def complete(self, key: Key, response: Message) -> None:
        await self._completions.submit((key, response.SerializeToString()))

    async def release(self, key: Key) -> None:
        """Releases the key of a command that failed without effect, so that it can be repeated.

        A key that was claimed with another body stays claimed.
        """
        await self._database.execute(
            "DELETE FROM request"
            " WHERE scope = %s AND request_id = %s AND body_sha256 = %s AND response IS NULL",
            (key.scope, key.request_id, key.body_sha256),
        )

    async def _claim_all(self, keys: list[Key]) -> list[bool]:
        rows = await self._database.fetch_all(
            # Ordered, so that the batches of two servers cannot deadlock.
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
            free.discard(name)  # of equal keys in one batch, only the first gets it
        return is_ours

    async def _complete_all(self, completions: list[tuple[Key, bytes]]) -> list[None]:
        # Of equal keys, from a command that was repeated meanwhile, the first response is kept.
        answers = {(key.scope, key.request_id): (key, one) for key, one in reversed(completions)}
        await self._database.execute(
            # The keys exist. ON CONFLICT finds each by the index; an UPDATE may be planned as a
            # sequential scan from statistics of a table that was small a moment ago. The first
            # response stays.
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
