"""Pages (AIP-158): opaque tokens around a keyset, so that a page costs the same anywhere."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from google.protobuf.message import Message

from servicekit.errors import Violation, invalid_fields

T = TypeVar("T")
M = TypeVar("M", bound=Message)

DEFAULT_PAGE_SIZE = 50
MAXIMUM_PAGE_SIZE = 200

# A client takes 4 MiB unless it was told otherwise. A page that would be larger ends early.
_MAXIMUM_PAGE_BYTES = 2 * 1024 * 1024

Key = datetime | int

# What a bigint holds.
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Cursor:
    """The last row of a page: rows are ordered by key, a time mostly, then id."""

    key: Key
    id: str


@dataclass(frozen=True)
class Page:
    """Which rows a caller asked for. `query` identifies the filter that a token belongs to."""

    size: int
    after: Cursor | None
    query: str

    @property
    def keyset(self) -> dict[str, object]:
        """The SQL parameters `time`, `id` (of the row before the page, or NULL) and `size`, where
        the key is a time."""
        return {
            "time": self.after.key if self.after else None,
            "id": self.after.id if self.after else None,
            "size": self.size,
        }

    def token_after(self, rows: Sequence[T], cursor_of: Callable[[T], Cursor]) -> str:
        """The token of the page after `rows`; empty when `rows` do not fill this one."""
        return "" if len(rows) < self.size else self._token(cursor_of(rows[-1]))

    def fitted(
        self,
        rows: Sequence[T],
        message_of: Callable[[T], M],
        cursor_of: Callable[[T], Cursor],
    ) -> tuple[list[M], str]:
        """`rows` as messages, as many as fit an answer but one at least, and the token of the page
        after them."""
        messages: list[M] = []
        size_bytes = 0
        for row in rows:
            message = message_of(row)
            size_bytes += message.ByteSize()
            if messages and size_bytes > _MAXIMUM_PAGE_BYTES:
                return messages, self._token(cursor_of(rows[len(messages) - 1]))
            messages.append(message)
        return messages, self.token_after(rows, cursor_of)

    def _token(self, last: Cursor) -> str:
        key = last.key.isoformat() if isinstance(last.key, datetime) else last.key
        text = json.dumps([self.query, key, last.id])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def page_of(
    page_size: int, page_token: str, *filters: object, key: type[datetime] | type[int] = datetime
) -> Page:
    """The page that a request asks for; `filters` are what the whole listing is limited to and
    ordered by, `key` is the type of what it is ordered by.

    Raises:
        InvalidArgument: a negative size, or a token that is not from this very listing.
    """
    if page_size < 0:
        raise invalid_fields(Violation("page_size", "AIP-158", "Must not be negative"))
    size = min(page_size or DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE)
    query = hashlib.sha256(repr(filters).encode()).hexdigest()[:16]
    if not page_token:
        return Page(size, None, query)
    try:
        padded = page_token + "=" * (-len(page_token) % 4)
        token_query, text, row_id = json.loads(base64.urlsafe_b64decode(padded))
        cursor = Cursor(_key(text, key), str(row_id))
        if b"\x00" in cursor.id.encode():  # no Postgres text can hold it, nor half a character
            raise ValueError("no id of ours")
    except (ValueError, TypeError, RecursionError):
        token_query, cursor = None, None
    if cursor is None or token_query != query:
        raise invalid_fields(
            Violation("page_token", "AIP-158", "Must be of this very listing's page before")
        )
    return Page(size, cursor, query)


def _key(text: object, kind: type[datetime] | type[int]) -> Key:
    if kind is datetime:
        return datetime.fromisoformat(text)  # type: ignore[arg-type]  # a TypeError is expected
    if type(text) is not int or abs(text) > _LARGEST:
        raise ValueError("no number of ours")
    return text
