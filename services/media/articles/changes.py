"""What a request wants made of an article, so that it is made once and told again. Pure.

An article may be of megabytes, and so may the answers to those who write it. They are not kept: a
repeated request brings the content along once more.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from servicekit.errors import request_id_reused
from services.media.articles.domain import Article, Change, Content, revision_id

# Namespace of ids that follow from a request, so that a repeated request finds what it made.
_REQUESTS = UUID("c4b4d8f6-8f1e-4a3f-9d57-6a8b7f0f2f11")


@dataclass(frozen=True)
class Asked:
    """What a request wants made of an article; `sha256` is of all of that."""

    change_id: str
    request_id: str
    sha256: str
    content: Content

    @classmethod
    def of(cls, scope: str, request_id: str, content: Content, *others: str | None) -> "Asked":
        """`scope` is whose request it is, and for what."""
        wanted = json.dumps([revision_id(content), *others])
        return cls(
            change_id=uuid5(_REQUESTS, f"{scope} {request_id.lower()}").hex,
            request_id=request_id,
            sha256=hashlib.sha256(wanted.encode()).hexdigest(),
            content=content,
        )

    def change(self, article: Article) -> Change:
        return Change(self.change_id, self.sha256, article)

    def first_answer(self, made: Change) -> Article:
        """The article as the request left it.

        Raises:
            InvalidArgument: it was made by the same `request_id` with another body.
        """
        if made.request_sha256 != self.sha256:
            raise request_id_reused(self.request_id)
        return replace(made.article, content=self.content)
