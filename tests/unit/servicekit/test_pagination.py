"""Pages and their tokens."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import InvalidArgument
from servicekit.pagination import DEFAULT_PAGE_SIZE, MAXIMUM_PAGE_SIZE, Cursor, Page, page_of

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    time: datetime
    id: str


def _cursor(row: Row) -> Cursor:
    return Cursor(row.time, row.id)


def _rows(count: int) -> list[Row]:
    return [Row(BEGIN + timedelta(microseconds=number), f"r{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("asked", "size"), [(0, DEFAULT_PAGE_SIZE), (1, 1), (200, 200), (201, MAXIMUM_PAGE_SIZE)]
)
def test_a_size_is_kept_within_bounds(asked: int, size: int) -> None:
    assert page_of(asked, "").size == size


def test_a_page_that_is_not_full_is_the_last() -> None:
    page = page_of(2, "")
    assert page.token_after(_rows(1), _cursor) == ""
    assert page.token_after([], _cursor) == ""


def test_a_token_continues_after_the_last_row() -> None:
    token = page_of(2, "", "OPEN").token_after(_rows(2), _cursor)
    assert page_of(5, token, "OPEN").after == Cursor(BEGIN + timedelta(microseconds=1), "r1")
    assert not set(token) & set("=+/")


def test_rows_beyond_the_response_limit_are_on_the_next_page() -> None:
    def message(row: Row) -> StringValue:
        return StringValue(value=row.id + "x" * 1_000_000)

    page = page_of(5, "")
    shown, token = page.fitted(_rows(5), message, _cursor)
    assert [one.value[:2] for one in shown] == ["r0", "r1"]
    assert page_of(5, token).after == _cursor(_rows(2)[1])
    assert page.fitted(_rows(2), message, _cursor)[1] == ""
    assert page_of(2, "").fitted(_rows(2), message, _cursor)[1] == token
    assert page.fitted([], message, _cursor) == ([], "")


def test_a_page_has_at_least_one_row() -> None:
    shown, token = page_of(5, "").fitted(
        _rows(2), lambda row: StringValue(value="x" * 3_000_000), _cursor
    )
    assert len(shown) == 1
    assert page_of(5, token).after == _cursor(_rows(1)[0])


def _refused(page_size: int, token: str, *filters: object) -> str:
    with pytest.raises(InvalidArgument) as refused:
        page_of(page_size, token, *filters)
    (violation,) = refused.value.violations
    return violation.field


def test_a_token_is_valid_for_its_list_only() -> None:
    token = page_of(1, "", "OPEN").token_after(_rows(1), _cursor)
    for filters in [(), ("CLOSED",), ("OPEN", None)]:
        assert _refused(1, token, *filters) == "page_token"


def test_a_negative_size_is_refused() -> None:
    assert _refused(-1, "") == "page_size"


@given(st.text(min_size=1, max_size=60))
def test_arbitrary_text_is_a_valid_or_a_rejected_token(token: str) -> None:
    assert _refused(1, token) == "page_token"


@given(st.binary(min_size=1, max_size=60))
def test_arbitrary_bytes_are_a_valid_or_a_rejected_token(token: bytes) -> None:
    assert _refused(1, base64.urlsafe_b64encode(token).decode()) == "page_token"


def test_a_deeply_nested_token_is_rejected() -> None:
    assert _refused(1, base64.urlsafe_b64encode(b"[" * 50_000).decode()) == "page_token"


def test_a_token_with_a_forged_row_is_only_another_position() -> None:
    page = Page(1, None, page_of(1, "").query)
    token = page.token_after([Row(BEGIN, "' OR 1=1 --")], _cursor)
    assert page_of(1, token).after == Cursor(BEGIN, "' OR 1=1 --")
