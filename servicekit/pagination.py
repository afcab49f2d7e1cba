"""Pagination (AIP-158) by keyset: opaque tokens, and the same cost for every page."""

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

# Clients accept 4 MiB by default. A page that would be larger ends early.
_MAXIMUM_PAGE_BYTES = 2 * 1024 * 1024

Key = datetime | int

_MAXIMUM_BIGINT = 2**63 - 1


@dataclass(frozen=True)
class Cursor:
    """The last row of a page. Rows are ordered by key, mostly a time, then by id."""

    key: Key
    id: str


@dataclass(frozen=True)
class Page:
    """The requested page. `query` identifies the filter and order that its token belongs to."""

    size: int
    after: Cursor | None
    query: str

    @property
    def keyset(self) -> dict[str, object]:
        """The SQL parameters `time` and `id` (of the row before the page, or NULL) and `size`, for
        a key that is a time."""
        return {
            "time": self.after.key if self.after else None,
            "id": self.after.id if self.after else None,
            "size": self.size,
        }

    def token_after(self, rows: Sequence[T], cursor_of: Callable[[T], Cursor]) -> str:
        """The token of the next page; empty if `rows` do not fill this one."""
        return "" if len(rows) < self.size else self._token(cursor_of(rows[-1]))

    def fitted(
        self,
        rows: Sequence[T],
        message_of: Callable[[T], M],
        cursor_of: Callable[[T], Cursor],
    ) -> tuple[list[M], str]:
        """Converts `rows` to messages, as many as fit a response and at least one. Returns them
        with the token of the next page."""
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
    """Parses the page fields of a request. `filters` are all values that filter and order the list,
    `key` is the type of its ordering key.

    Raises:
        InvalidArgument: the size is negative, or the token is not from a page of the same list.
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
        # NUL is not valid in Postgres' text; `encode` rejects lone surrogates.
        if b"\x00" in cursor.id.encode():
            raise ValueError("not an id")
    except (ValueError, TypeError, RecursionError):
        token_query, cursor = None, None
    if cursor is None or token_query != query:
        raise invalid_fields(
            Violation(
                "page_token",
                "AIP-158",
                "Must be the next_page_token of a request with the same filter and order",
            )
        )
    return Page(size, cursor, query)


def _key(text: object, kind: type[datetime] | type[int]) -> Key:
    if kind is datetime:
        return datetime.fromisoformat(text)  # type: ignore[arg-type]  # a TypeError is expected
    if type(text) is not int or abs(text) > _MAXIMUM_BIGINT:
        raise ValueError("not a number")
    return text
