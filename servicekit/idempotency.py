"""`request_id` (AIP-155): same key and same body, the first answer; another body, an error.

Keys are scoped by caller and method, and kept in each service's own schema, in the table
`request` that servicekit's own migration creates there.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.message import Message

from servicekit.database import Database
from servicekit.errors import InvalidArgument, Reason


@dataclass(frozen=True)
class Key:
    """One caller's use of one `request_id` for one method."""

    scope: str
    request_id: UUID
    body_sha256: bytes


def key_of(subject: str, method: str, request_id: UUID, request: Message) -> Key:
    body = request.SerializeToString(deterministic=True)
    return Key(f"{subject} {method}", request_id, hashlib.sha256(body).digest())


async def claim(database: Database, key: Key) -> bytes | None:
    """The first answer, serialised, if there is one already; else the key is now taken.

    In a transaction, a second caller with the same key waits here until the first has ended.

    Raises:
        InvalidArgument: the key was used with another body.
    """
    taken = await database.execute(
        "INSERT INTO request (scope, request_id, body_sha256) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (key.scope, key.request_id, key.body_sha256),
    )
    if taken:
        return None
    row = await database.fetch_one(
        "SELECT body_sha256, response FROM request WHERE scope = %s AND request_id = %s",
        (key.scope, key.request_id),
    )
    if row is None or row["body_sha256"] != key.body_sha256:
        raise InvalidArgument(
            Reason.REQUEST_ID_REUSED,
            "This request_id was used before with another body",
            metadata={"request_id": str(key.request_id)},
        )
    response: bytes | None = row["response"]
    return response


async def complete(database: Database, key: Key, response: Message) -> None:
    await database.execute(
        "UPDATE request SET response = %s WHERE scope = %s AND request_id = %s",
        (response.SerializeToString(), key.scope, key.request_id),
    )


async def forget(database: Database, key: Key) -> None:
    """Gives a key back whose command was refused, so that nothing stands in a later try's way.

    Only one's own: the key of a command with another body stays taken, whatever becomes of it.
    """
    await database.execute(
        "DELETE FROM request"
        " WHERE scope = %s AND request_id = %s AND body_sha256 = %s AND response IS NULL",
        (key.scope, key.request_id, key.body_sha256),
    )
