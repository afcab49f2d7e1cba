"""Lays one trace out as a waterfall: the tree in reading order, bars and ticks on one axis.

Pure geometry: positions are percentages of the axis, so the page only has to draw them.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from devstack.trace_viewer.model import Span, Trace

_MIN_BAR_PERCENT = 0.15  # else an instantaneous span would be invisible
_WANTED_TICKS = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One span's row: the position of its bar, and anomalies of its place in the tree."""

    span: Span
    depth: int
    left_percent: float
    width_percent: float
    offset_nanoseconds: int
    is_orphan: bool
    starts_before_parent: bool


@dataclass(frozen=True, slots=True)
class Tick:
    left_percent: float
    offset_nanoseconds: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    rows: list[Row]
    ticks: list[Tick]


def lay_out(trace: Trace) -> Waterfall:
    """Parents before children, siblings by start; spans without a known parent are roots."""
    length = max(1, trace.duration_nanoseconds)
    by_id = {span.span_id: span for span in trace.spans}
    rows = []
    for span, depth in _reading_order(trace.spans, by_id):
        offset = span.start_nanoseconds - trace.start_nanoseconds
        width = max(_MIN_BAR_PERCENT, 100 * span.duration_nanoseconds / length)
        left = min(100 * offset / length, 100 - _MIN_BAR_PERCENT)
        parent = by_id.get(span.parent_id)
        rows.append(
            Row(
                span=span,
                depth=depth,
                left_percent=round(left, 3),
                width_percent=round(min(width, 100 - left), 3),
                offset_nanoseconds=offset,
                is_orphan=bool(span.parent_id) and parent is None,
                starts_before_parent=parent is not None
                and span.start_nanoseconds < parent.start_nanoseconds,
            )
        )
    return Waterfall(rows, _ticks(length))


def _reading_order(spans: Iterable[Span], by_id: dict[str, Span]) -> list[tuple[Span, int]]:
    """Depth first and without recursion, since a trace may be deeper than Python's stack."""
    children: defaultdict[str, list[Span]] = defaultdict(list)
    roots = []
    ordered = sorted(spans, key=lambda span: (span.start_nanoseconds, -span.end_nanoseconds))
    for span in ordered:
        if span.parent_id in by_id and span.parent_id != span.span_id:
            children[span.parent_id].append(span)
        else:
            roots.append(span)

    placed: list[tuple[Span, int]] = []
    seen: set[str] = set()
    # Spans in a parent cycle have no root: after the true roots, the earliest span not yet placed
    # starts a new tree.
    for start in [*roots, *ordered]:
        pending = [(start, 0)]
        while pending:
            span, depth = pending.pop()
            if span.span_id in seen:
                continue
            seen.add(span.span_id)
            placed.append((span, depth))
            pending.extend((child, depth + 1) for child in reversed(children[span.span_id]))
    return placed


def _ticks(length_nanoseconds: int) -> list[Tick]:
    """Round offsets (1, 2 or 5 times a power of ten) about a sixth of the axis apart."""
    step = 1
    while length_nanoseconds / step > _WANTED_TICKS:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    offsets = range(0, length_nanoseconds + 1, step)
    return [Tick(round(100 * offset / length_nanoseconds, 3), offset) for offset in offsets]
