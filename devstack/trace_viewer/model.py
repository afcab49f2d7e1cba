"""Spans and traces as plain data, free of OTLP and HTML.

Spans of one trace arrive in any order and from several processes, so nothing here assumes that a
parent is known, that there is one root, or that two clocks agree.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

NANOSECONDS_PER_MICROSECOND = 1_000

AttributeValue = str | bool | int | float | list["AttributeValue"] | dict[str, "AttributeValue"]
Attributes = Mapping[str, AttributeValue]


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """A point-in-time event of a span, such as an exception."""

    name: str
    time_nanoseconds: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SpanLink:
    """A reference from a span to another span, usually of another trace."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Span:
    """One finished operation. `parent_id` is empty for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    kind: str
    start_nanoseconds: int
    end_nanoseconds: int
    attributes: Attributes = field(default_factory=dict)
    resource_attributes: Attributes = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    has_failed: bool = False
    status_message: str = ""

    @property
    def duration_nanoseconds(self) -> int:
        # A clock stepped back while the span ran would make this negative.
        return max(0, self.end_nanoseconds - self.start_nanoseconds)


@dataclass(frozen=True)
class Trace:
    """The spans of one trace received so far, and values derived from them."""

    trace_id: str
    spans: tuple[Span, ...]
    discarded_spans: int = 0

    @cached_property
    def start_nanoseconds(self) -> int:
        return min(span.start_nanoseconds for span in self.spans)

    @cached_property
    def end_nanoseconds(self) -> int:
        return max(max(span.start_nanoseconds, span.end_nanoseconds) for span in self.spans)

    @property
    def duration_nanoseconds(self) -> int:
        return self.end_nanoseconds - self.start_nanoseconds

    @cached_property
    def root(self) -> Span:
        """The span that names the trace: a true root if one arrived, else the earliest span whose
        parent did not, else (a cycle) simply the earliest."""
        known_ids = {span.span_id for span in self.spans}

        def rank(span: Span) -> tuple[int, int]:
            if not span.parent_id:
                return 0, span.start_nanoseconds
            return (1 if span.parent_id not in known_ids else 2), span.start_nanoseconds

        return min(self.spans, key=rank)

    @cached_property
    def is_missing_its_root(self) -> bool:
        return bool(self.root.parent_id)

    @cached_property
    def spans_by_service(self) -> dict[str, int]:
        """Services with their span counts, in order of first appearance in the trace."""
        ordered = sorted(self.spans, key=lambda span: span.start_nanoseconds)
        return dict(Counter(span.service for span in ordered))

    @cached_property
    def failed_spans(self) -> int:
        return sum(span.has_failed for span in self.spans)
