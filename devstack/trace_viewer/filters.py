"""Query parameters of the list page and of the JSON API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from devstack.trace_viewer.model import Span, Trace

NANOSECONDS_PER_MILLISECOND = 1_000_000
DEFAULT_LIMIT = 100
MAX_LIMIT = 500


class InvalidFilterError(ValueError):
    """An invalid parameter; the message may be shown to the user."""


@dataclass(frozen=True)
class TraceFilter:
    """All conditions must hold; each may be met by a different span of the trace."""

    service: str = ""
    text: str = ""
    attribute: str = ""
    min_duration_milliseconds: float = 0
    errors_only: bool = False
    limit: int = DEFAULT_LIMIT

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        return cls(
            service=query.get("service", "").strip(),
            text=query.get("text", "").strip(),
            attribute=query.get("attribute", "").strip(),
            min_duration_milliseconds=_number(query, "min_duration_ms", 0),
            errors_only=query.get("errors", "") not in ("", "0", "false"),
            limit=max(1, min(MAX_LIMIT, int(_number(query, "limit", DEFAULT_LIMIT)))),
        )

    @property
    def is_empty(self) -> bool:
        return self == TraceFilter(limit=self.limit)

    def accepts(self, trace: Trace) -> bool:
        if self.errors_only and not trace.failed_spans:
            return False
        if (
            trace.duration_nanoseconds
            < self.min_duration_milliseconds * NANOSECONDS_PER_MILLISECOND
        ):
            return False
        if self.service and self.service not in trace.spans_by_service:
            return False
        if self.attribute and not any(has_attribute(s, self.attribute) for s in trace.spans):
            return False
        return not self.text or any(matches_text(span, self.text) for span in trace.spans)


def matches_text(span: Span, text: str) -> bool:
    """The search box: a part of the span's name, or `key=value` for an attribute."""
    return text.lower() in span.name.lower() or ("=" in text and has_attribute(span, text))


def has_attribute(span: Span, condition: str) -> bool:
    """`key=value` compares the whole value; a bare `key` matches any value."""
    key, has_value, value = condition.partition("=")
    for attributes in (span.attributes, span.resource_attributes):
        if key in attributes and (not has_value or _as_text(attributes[key]) == value):
            return True
    return False


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name, "").strip()
    try:
        number = float(text) if text else float(default)
    except ValueError:
        raise InvalidFilterError(f"{name} must be a number") from None
    if not 0 <= number < 1e15:  # also refuses NaN and infinity
        raise InvalidFilterError(f"{name} must be a number from 0 on")
    return number
