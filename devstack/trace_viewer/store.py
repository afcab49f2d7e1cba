"""Bounded in-memory store of traces by id; whole traces are dropped, oldest first.

Everything runs on one event loop, so there are no locks.
"""

from collections.abc import Iterable, Iterator

from devstack.trace_viewer.model import Span, Trace


class TraceStore:
    """Keeps the newest traces; a trace's age is the arrival of its first span."""

    def __init__(self, *, max_traces: int, max_spans: int, max_spans_per_trace: int) -> None:
        self._max_traces = max_traces
        self._max_spans = max_spans
        # A trace of unlimited length must not displace the others, or itself.
        self._max_spans_per_trace = min(max_spans_per_trace, max_spans)
        self._spans: dict[str, dict[str, Span]] = {}
        self._discarded: dict[str, int] = {}
        self._snapshots: dict[str, Trace] = {}
        self._span_count = 0
        self._services: dict[str, int] = {}

    @property
    def trace_count(self) -> int:
        return len(self._spans)

    @property
    def span_count(self) -> int:
        return self._span_count

    @property
    def services(self) -> dict[str, int]:
        """Every service seen so far with its rank of first appearance, which picks its colour."""
        return self._services

    def add(self, spans: Iterable[Span]) -> None:
        for span in spans:
            self._add_one(span)
        while len(self._spans) > self._max_traces or self._span_count > self._max_spans:
            self._forget_oldest()

    def get(self, trace_id: str) -> Trace | None:
        if trace_id not in self._spans:
            return None
        snapshot = self._snapshots.get(trace_id)
        if snapshot is None:
            spans = tuple(self._spans[trace_id].values())
            snapshot = Trace(trace_id, spans, self._discarded.get(trace_id, 0))
            self._snapshots[trace_id] = snapshot
        return snapshot

    def newest_first(self) -> Iterator[Trace]:
        """Newest first by start time, regardless of the order of arrival."""
        traces = [trace for trace_id in self._spans if (trace := self.get(trace_id))]
        return iter(sorted(traces, key=lambda trace: trace.start_nanoseconds, reverse=True))

    def _add_one(self, span: Span) -> None:
        spans = self._spans.setdefault(span.trace_id, {})
        self._services.setdefault(span.service, len(self._services))
        self._snapshots.pop(span.trace_id, None)
        if span.span_id in spans:  # an exporter repeats a batch whose response was lost
            spans[span.span_id] = span
        elif len(spans) >= self._max_spans_per_trace:
            self._discarded[span.trace_id] = self._discarded.get(span.trace_id, 0) + 1
        else:
            spans[span.span_id] = span
            self._span_count += 1

    def _forget_oldest(self) -> None:
        trace_id = next(iter(self._spans))
        self._span_count -= len(self._spans.pop(trace_id))
        self._discarded.pop(trace_id, None)
        self._snapshots.pop(trace_id, None)
