"""The trace viewer's pure parts: store limits, filters, layout and display."""

import pytest

from devstack.trace_viewer import display
from devstack.trace_viewer.filters import InvalidFilterError, TraceFilter
from devstack.trace_viewer.model import Span, Trace
from devstack.trace_viewer.store import TraceStore
from devstack.trace_viewer.waterfall import Row, lay_out

MILLISECOND = 1_000_000


def span(
    span_id: str,
    *,
    parent: str = "",
    start: int = 0,
    end: int = 10,
    trace_id: str = "t1",
    name: str = "",
    service: str = "tasks",
    has_failed: bool = False,
    **attributes: str,
) -> Span:
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent,
        name=name or span_id,
        service=service,
        kind="internal",
        start_nanoseconds=start * MILLISECOND,
        end_nanoseconds=end * MILLISECOND,
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
        has_failed=has_failed,
    )


def store(*, max_traces: int = 10, max_spans: int = 100, per_trace: int = 50) -> TraceStore:
    return TraceStore(max_traces=max_traces, max_spans=max_spans, max_spans_per_trace=per_trace)


def rows(*spans: Span) -> list[Row]:
    return lay_out(Trace("t1", spans)).rows


def shape(*spans: Span) -> list[tuple[str, int]]:
    return [(row.span.span_id, row.depth) for row in rows(*spans)]


class TestStore:
    def test_drops_the_oldest_trace_when_over_the_trace_limit(self) -> None:
        memory = store(max_traces=2)
        memory.add([span("a", trace_id="t1"), span("b", trace_id="t2"), span("c", trace_id="t1")])
        memory.add([span("d", trace_id="t3")])
        assert memory.get("t1") is None
        assert {trace.trace_id for trace in memory.newest_first()} == {"t2", "t3"}
        assert memory.span_count == 2

    def test_drops_the_oldest_traces_until_the_spans_fit(self) -> None:
        memory = store(max_spans=5)
        for number in range(4):
            memory.add(span(f"s{i}", trace_id=f"t{number}") for i in range(2))
        assert memory.trace_count == 2
        assert memory.span_count == 4

    def test_a_trace_over_the_span_limit_is_truncated_and_marked(self) -> None:
        memory = store(per_trace=3)
        memory.add(span(f"s{i}") for i in range(5))
        trace = memory.get("t1")
        assert trace is not None
        assert (len(trace.spans), trace.discarded_spans) == (3, 2)

    def test_a_repeated_export_counts_once(self) -> None:
        memory = store()
        memory.add([span("a")])
        memory.add([span("a")])
        assert memory.span_count == 1

    def test_a_late_span_is_included_in_the_next_read(self) -> None:
        memory = store()
        memory.add([span("child", parent="root", start=1)])
        before = memory.get("t1")
        memory.add([span("root")])
        after = memory.get("t1")
        assert before is not None
        assert before.is_missing_its_root
        assert after is not None
        assert (after.root.span_id, after.is_missing_its_root) == ("root", False)

    def test_lists_by_start_time_not_by_arrival(self) -> None:
        memory = store()
        memory.add([span("a", trace_id="late", start=9), span("b", trace_id="early", start=1)])
        assert [trace.trace_id for trace in memory.newest_first()] == ["late", "early"]


class TestFilter:
    TRACE = Trace(
        "t1",
        (
            span("a", name="SubmitWork", end=40, assignment__id="as-1"),
            span("b", service="payouts", has_failed=True),
        ),
    )

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"service": "payouts"},
            {"text": "submitw"},
            {"text": "assignment.id=as-1"},
            {"attribute": "assignment.id=as-1"},
            {"attribute": "assignment.id"},
            {"min_duration_ms": "40"},
            {"errors": "1"},
        ],
    )
    def test_accepts(self, query: dict[str, str]) -> None:
        assert TraceFilter.from_query(query).accepts(self.TRACE)

    @pytest.mark.parametrize(
        "query",
        [
            {"service": "media"},
            {"text": "approve"},
            {"text": "assignment.id=as-2"},
            {"attribute": "assignment.id=as"},
            {"min_duration_ms": "41"},
            {"service": "tasks", "text": "nothing"},
        ],
    )
    def test_refuses(self, query: dict[str, str]) -> None:
        assert not TraceFilter.from_query(query).accepts(self.TRACE)

    @pytest.mark.parametrize("number", ["x", "-1", "nan", "inf"])
    def test_an_invalid_number_is_an_error(self, number: str) -> None:
        with pytest.raises(InvalidFilterError, match="min_duration_ms"):
            TraceFilter.from_query({"min_duration_ms": number})


class TestWaterfall:
    def test_children_follow_their_parent_in_order_of_start(self) -> None:
        late = span("late", parent="root", start=5)
        deep = span("deep", parent="early", start=3)
        early = span("early", parent="root", start=2)
        assert shape(late, deep, early, span("root")) == [
            ("root", 0),
            ("early", 1),
            ("deep", 2),
            ("late", 1),
        ]

    def test_a_span_without_its_parent_is_a_marked_root(self) -> None:
        orphan, root = rows(span("root", start=1), span("orphan", parent="gone"))
        assert (orphan.is_orphan, orphan.depth) == (True, 0)
        assert not root.is_orphan

    def test_spans_in_a_parent_cycle_are_shown_once(self) -> None:
        assert shape(span("a", parent="b"), span("b", parent="a", start=1)) == [("a", 0), ("b", 1)]
        assert shape(span("self", parent="self")) == [("self", 0)]

    def test_a_child_before_its_parent_is_marked_and_on_the_axis(self) -> None:
        root, child = rows(span("root", start=4, end=10), span("child", parent="root", end=6))
        assert (child.left_percent, child.starts_before_parent) == (0, True)
        assert (root.left_percent, root.width_percent) == (40, 60)

    def test_bars_never_leave_the_axis(self) -> None:
        laid = rows(
            span("root", end=100), span("instant", start=100, end=100), span("back", start=7, end=3)
        )
        assert all(row.width_percent > 0 for row in laid)
        assert all(row.left_percent + row.width_percent <= 100.001 for row in laid)

    def test_a_trace_deeper_than_the_recursion_limit_is_laid_out(self) -> None:
        chain = [span(f"s{i}", parent=f"s{i - 1}" if i else "") for i in range(3_000)]
        assert rows(*chain)[-1].depth == 2_999

    @pytest.mark.parametrize("milliseconds", [0, 1, 7, 330, 4_000, 86_400_000])
    def test_ticks_are_few_and_on_the_axis(self, milliseconds: int) -> None:
        ticks = lay_out(Trace("t1", (span("a", end=milliseconds),))).ticks
        assert 1 < len(ticks) <= 7
        assert ticks[0].left_percent == 0
        assert ticks[-1].left_percent <= 100


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0"),
        (950, "950 ns"),
        (1_234, "1.23 µs"),
        (12_345_678, "12.3 ms"),
        (330 * MILLISECOND, "330 ms"),
        (4_000 * MILLISECOND, "4.00 s"),
        (125_000 * MILLISECOND, "2 min 05 s"),
        (7_500_000 * MILLISECOND, "2 h 05 min"),
    ],
)
def test_durations_are_formatted_with_a_unit(nanoseconds: int, text: str) -> None:
    assert display.duration(nanoseconds) == text
