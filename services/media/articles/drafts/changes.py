"""Idempotency of changes to drafts: a repeated request changes nothing and returns its first
response. Pure.

Articles, and so the responses to those who write them, may be megabytes in size, so that responses
are not stored: a repeated request carries the content again.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from servicekit.errors import request_id_reused
from services.media.articles.domain import Article, Change, Content, revision_id

# Namespace of change ids, which follow from the request.
_REQUESTS = UUID("c4b4d8f6-8f1e-4a3f-9d57-6a8b7f0f2f11")


@dataclass(frozen=True)
class ChangeRequest:
    """A request to create or update an article; `sha256` is of everything it sets."""

    change_id: str
    request_id: str
    sha256: str
    content: Content

    @classmethod
    def of(
        cls, scope: str, request_id: str, content: Content, *others: str | None
    ) -> "ChangeRequest":
        """`scope` names the caller and the method; `others` is what else the request sets."""
        body = json.dumps([revision_id(content), *others])
        return cls(
            change_id=uuid5(_REQUESTS, f"{scope} {request_id.lower()}").hex,
            request_id=request_id,
            sha256=hashlib.sha256(body.encode()).hexdigest(),
            content=content,
        )

    def change(self, article: Article) -> Change:
        return Change(self.change_id, self.sha256, article)

    def first_response(self, change: Change) -> Article:
        """The article as this request left it.

        Raises:
            InvalidArgument: the `request_id` was used with another body.
        """
        if change.request_sha256 != self.sha256:
            raise request_id_reused(self.request_id)
        return replace(change.article, content=self.content)
