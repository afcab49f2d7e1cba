"""A command reports all violations at once, each with its path in the request."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.type.money_pb2 import Money as MoneyMessage
from liaison.tasks.v1 import assignments_pb2, tasks_pb2

from servicekit.commands import CURRENCIES, parse
from servicekit.errors import InvalidArgument
from servicekit.money import Money
from servicekit.timestamps import to_timestamp
from services.tasks.applications.commands import ListApplications
from services.tasks.assignments.commands import RequestChanges, SubmitWork
from services.tasks.commands import CreateTask, EndSelection

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REQUEST_ID = "6f0c3ff7-6a7f-4f0e-9a7e-0d8a0b8f6d3c"


def _task(**changes: Any) -> tasks_pb2.CreateTaskRequest:
    values: dict[str, Any] = {
        "title": "A review",
        "content_types": [tasks_pb2.CONTENT_TYPE_VIDEO],
        "requirements": [tasks_pb2.Requirement(text="Show it")],
        "reward": tasks_pb2.Reward(money=Money("USD", 10_000).to_message()),
        "creator_slots": 2,
        "application_deadline_time": to_timestamp(NOW + timedelta(days=2)),
        "submission_deadline_time": to_timestamp(NOW + timedelta(days=20)),
    }
    return tasks_pb2.CreateTaskRequest(
        task=tasks_pb2.Task(**values | changes), request_id=REQUEST_ID
    )


def _violations(kind: Any, request: Any) -> set[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as refused:
        parse(kind, request)
    assert all(violation.description for violation in refused.value.violations)
    return {(violation.field, violation.rule) for violation in refused.value.violations}


def test_all_violations_come_at_once_each_with_its_path_and_rule() -> None:
    request = _task(
        title="",
        creator_slots=0,
        requirements=[tasks_pb2.Requirement(text="ok"), tasks_pb2.Requirement(text="x" * 1001)],
        content_types=[tasks_pb2.CONTENT_TYPE_VIDEO] * 2,
        policy="policies/unheard-of",
    )
    found = _violations(CreateTask, request)
    assert {
        ("task.requirements[1].text", "LENGTH"),
        ("task.content_types", "UNIQUE"),
    } <= found
    assert {field for field, _ in found} == {
        "task.title",
        "task.creator_slots",
        "task.requirements[1].text",
        "task.content_types",
        "task.policy",
    }


def test_a_field_is_named_as_in_the_proto_though_the_domain_has_another_word() -> None:
    request = assignments_pb2.SubmitWorkRequest(
        name="tasks/a",
        submission=assignments_pb2.Submission(
            media_objects=["mediaObjects/a", "videos/b"], links=["ftp://example.com"]
        ),
        request_id=REQUEST_ID,
    )
    assert _violations(SubmitWork, request) == {
        ("name", "AIP-122"),
        ("submission.media_objects[1]", "AIP-122"),
        ("submission.links[0]", "LINK"),
    }


@pytest.mark.parametrize(
    "link",
    [
        "http://example.com",
        "https://",
        "https://user:secret@example.com",
        "javascript:alert(1)",
        "https://example.com/" + "x" * 2000,
        "https://example.com/\0",
        "https://example.com/\n",
        "https://example.com/\x7f",
        "https://example.com/a b",
        'https://example.com/"onload=',
        "https://example.com/<b>",
        "https://example.com/é",
        "https://exämple.com/",
        "https://example.com/\u202e",
        "https://:443/",
        "https://example.com:0/",
        "https://example.com:70000/",
        "https://@example.com/",
        "https://[",
        " https://example.com/",
        "https:example.com",
    ],
)
def test_a_link_is_https_and_of_a_host(link: str) -> None:
    request = assignments_pb2.SubmitWorkRequest(
        name="assignments/a",
        submission=assignments_pb2.Submission(links=[link]),
        request_id=REQUEST_ID,
    )
    assert _violations(SubmitWork, request) == {("submission.links[0]", "LINK")}


@pytest.mark.parametrize(
    ("money", "rule"),
    [
        (MoneyMessage(currency_code="USD"), "RANGE"),
        (MoneyMessage(currency_code="USD", units=-1), "RANGE"),
        (MoneyMessage(currency_code="USD", units=10**11), "RANGE"),
        (MoneyMessage(currency_code="USD", units=1, nanos=1), "MINOR_UNITS"),
        (MoneyMessage(currency_code="JPY", units=1), "ISO-4217"),
        (MoneyMessage(currency_code="usd", units=1), "ISO-4217"),
        (MoneyMessage(units=1), "ISO-4217"),
    ],
)
def test_a_reward_is_positive_and_in_hundredths_of_a_known_currency(
    money: MoneyMessage, rule: str
) -> None:
    request = _task(reward=tasks_pb2.Reward(money=money))
    assert _violations(CreateTask, request) == {("task.reward.money", rule)}


@pytest.mark.parametrize("currency", sorted(CURRENCIES))
def test_money_is_taken_in_every_currency_that_is_paid_out(currency: str) -> None:
    money = MoneyMessage(currency_code=currency, units=12, nanos=340_000_000)
    command = parse(CreateTask, _task(reward=tasks_pb2.Reward(money=money)))
    assert command.task.reward.money == Money(currency, 1_234)


@pytest.mark.parametrize(
    "link", ["https://example.com", "https://example.com:8443/a?b=c%20d#e", "HTTPS://[::1]/~a;b"]
)
def test_any_valid_https_link_is_accepted(link: str) -> None:
    reward = tasks_pb2.Reward(product=tasks_pb2.ProductReward(title="A lamp", link=link))
    product = parse(CreateTask, _task(reward=reward)).task.reward.product
    assert product is not None
    assert product.link == link


@pytest.mark.parametrize("text", ["", "a", "👍", " . ", "\u200bx"])
def test_text_with_a_visible_character_is_accepted(text: str) -> None:
    request = tasks_pb2.EndSelectionRequest(name="tasks/a", comment=text, request_id=REQUEST_ID)
    assert parse(EndSelection, request).comment == text


@pytest.mark.parametrize("text", [" ", "\u200b", "\u00a0\u2003\n", "\u3164", "\u2800", "\u00ad"])
def test_invisible_text_is_blank(text: str) -> None:
    request = tasks_pb2.EndSelectionRequest(name="tasks/a", comment=text, request_id=REQUEST_ID)
    assert _violations(EndSelection, request) == {("comment", "BLANK")}


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "a\x7fb", "a\x9b31m"])
def test_control_characters_are_refused(text: str) -> None:
    assert _violations(CreateTask, _task(title=text)) == {("task.title", "CONTROL_CHARACTERS")}


def test_a_text_may_have_lines() -> None:
    description = "One\n\tTwo\r\n日本語 🙂"
    assert parse(CreateTask, _task(description=description)).task.description == description


def test_a_list_needs_its_count_of_different_items() -> None:
    request = assignments_pb2.RequestChangesRequest(
        name="assignments/a",
        comment="More",
        requirement_ids=["req-1", "req-1"],
        request_id=REQUEST_ID,
    )
    assert _violations(RequestChanges, request) == {("requirement_ids", "UNIQUE")}


def test_an_unknown_enum_value_is_refused_by_its_field() -> None:
    request = _task()
    request.task.content_types.append(99)  # type: ignore[arg-type]  # what a newer caller may send
    assert {field for field, _ in _violations(CreateTask, request)} == {"task.content_types[1]"}


def test_an_unspecified_enum_is_its_default() -> None:
    command = parse(CreateTask, _task())
    content = command.task.content()
    assert (content.funding, content.completion_rule) == ("ESCROW", "ALL")


def test_a_wildcard_is_not_a_resource_id() -> None:
    everywhere = parse(ListApplications, tasks_pb2.ListApplicationsRequest(parent="tasks/-"))
    assert everywhere.task_id is None
    request = tasks_pb2.ListApplicationsRequest(parent="-")
    assert _violations(ListApplications, request) == {("parent", "AIP-122")}
