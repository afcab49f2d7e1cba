"""ListTasks against a model in Python: the same tasks in the same order for random requests."""

import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import LiaisonError
from servicekit.money import Money
from servicekit.timestamps import from_timestamp, to_timestamp
from services.tasks.domain import Candidate, State, Task, check_eligible
from services.tasks.recording.domain import RecordedTask
from tests.integration.tasks.harness import DAY, Harness, id_of

WORDS = ["lamp", "red", "Shoe", "größe", "мода", "裙子", "x1"]
BRANDS = ["acme", "other"]
CURRENCIES = ["USD", "EUR"]
CREATOR = Candidate("bea", True, "EXTERNAL", "JUNIOR", False, True)


def _content(harness: Harness, chance: random.Random) -> dict[str, Any]:
    content_types = chance.sample([one for one in pb.ContentType.values() if one], k=2)
    # Few values each, so that many tasks have equal order keys.
    closing = harness.now + chance.choice([1, 2, 3]) * DAY
    money = Money(chance.choice(CURRENCIES), chance.choice([100, 200, 300])).to_message()
    content: dict[str, Any] = {
        "title": " ".join(chance.choices(WORDS, k=2)),
        "description": "/".join(chance.choices(WORDS, k=2)),
        "content_types": content_types,
        "reward": pb.Reward(money=money),
        "application_deadline_time": to_timestamp(closing),
        "submission_deadline_time": to_timestamp(closing + chance.choice([5, 6]) * DAY),
        "eligibility": pb.Eligibility(
            account_classes=chance.choice([[], [1], [2], [1, 2]]),
            minimum_level=creators_pb2.CreatorLevel.ValueType(chance.choice([0, 1, 2, 3])),
        ),
    }
    if pb.CONTENT_TYPE_LIVE_STREAM in content_types:
        content["live_stream_channel"] = chance.choice([0, 1, 2])
    if chance.random() < 0.2:
        content["reward"] = pb.Reward(product=pb.ProductReward(title="A lamp"))
    return content


@dataclass
class Model:
    tasks: list[Task]
    applied: set[str]
    now: datetime

    def names(self, role: str, filter_: pb.TaskFilter, order_by: str) -> list[str]:
        found = [task for task in self.tasks if self._is_wanted(task, role, filter_)]
        keys = {
            "create_time desc": lambda task: task.create_time,
            "create_time": lambda task: task.create_time,
            "application_deadline_time": lambda task: task.content.application_deadline_time,
            "submission_deadline_time": lambda task: task.content.submission_deadline_time,
            "reward desc": lambda task: task.content.reward.amount_minor,
        }
        key = keys[order_by]
        found.sort(key=lambda task: (key(task), task.id), reverse=order_by.endswith(" desc"))
        return [task.name for task in found]

    def _is_wanted(self, task: Task, role: str, filter_: pb.TaskFilter) -> bool:
        content, states = task.content, [pb.Task.State.Name(one) for one in filter_.states]
        money = content.reward if isinstance(content.reward, Money) else None
        words = set(f"{content.title} {content.description}".replace("/", " ").lower().split())
        names = {f"CONTENT_TYPE_{one}" for one in content.content_types}
        least = filter_.minimum_reward
        kind = "REWARD_KIND_MONEY" if money else "REWARD_KIND_PRODUCT"
        return all(
            [
                self._is_visible(task, role),
                not states or f"STATE_{task.state}" in states,
                not filter_.content_types
                or any(pb.ContentType.Name(one) in names for one in filter_.content_types),
                filter_.brand in ("", f"brands/{task.brand_id}"),
                set(filter_.query.lower().split()) <= words,
                not filter_.is_takable or self._is_takable(task),
                not filter_.reward_kind or pb.RewardKind.Name(filter_.reward_kind) == kind,
                not filter_.currency_code
                or (money is not None and money.currency == filter_.currency_code),
                not filter_.HasField("minimum_reward")
                or (
                    money is not None
                    and money.currency == least.currency_code
                    and money.amount_minor >= Money.from_message(least).amount_minor
                ),
                not filter_.HasField("application_deadline_after")
                or content.application_deadline_time
                > from_timestamp(filter_.application_deadline_after),
            ]
        )

    def _is_visible(self, task: Task, role: str) -> bool:
        if role == "brand":
            return task.brand_id == "acme"
        if role == "creator":
            is_open = task.state is State.OPEN
            return is_open and self.now < task.content.application_deadline_time
        return task.state is not State.DRAFT

    def _is_takable(self, task: Task) -> bool:
        try:
            check_eligible(task.content, CREATOR)
        except LiaisonError:
            return False
        return task.name not in self.applied


@pytest.fixture
async def model(harness: Harness) -> Model:
    chance = random.Random(20260301)  # noqa: S311 - the same tasks in every run
    harness.creators.changed["bea"] = {"account_class": "EXTERNAL", "level": "JUNIOR"}
    ids, applied = [], set()
    for _ in range(60):
        brand = chance.choice(BRANDS)
        task = await harness.draft(brand, **_content(harness, chance))
        ids.append(id_of(task))
        if chance.random() < 0.9:
            await harness.publish(task, brand)
            if chance.random() < 0.2:
                with suppress(LiaisonError):  # some it may not take
                    applied.add((await harness.apply(task)).name.partition("/applications/")[0])
            elif chance.random() < 0.4:
                state = chance.choice([one for one in State if one is not State.DRAFT])
                await harness.record_store.record_task(RecordedTask(ids[-1], 2, state, [], []))
        harness.now += chance.choice([0, 1]) * timedelta(seconds=1)
    harness.now += DAY / 2
    tasks = [task for id_ in ids if (task := await harness.task_store.task(id_)) is not None]
    harness.now = tasks[0].content.application_deadline_time  # the very deadline of some
    return Model(tasks, applied, harness.now)


def _set(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Each field is set, or not."""
    return st.fixed_dictionaries({}, optional=fields)


moneys = st.builds(
    lambda currency, minor: Money(currency, minor).to_message(),
    st.sampled_from(CURRENCIES),
    st.sampled_from([1, 100, 150, 300, 301]),
)
filters = _set(
    states=st.lists(st.sampled_from(pb.Task.State.values()[1:]), max_size=4, unique=True),
    content_types=st.lists(st.sampled_from(pb.ContentType.values()[1:]), max_size=3, unique=True),
    brand=st.sampled_from([f"brands/{brand}" for brand in BRANDS]),
    query=st.lists(st.sampled_from([*WORDS, "SHOE", "none"]), min_size=1, max_size=2).map(" ".join),
    is_takable=st.booleans(),
    reward_kind=st.sampled_from(pb.RewardKind.values()[1:]),
    currency_code=st.sampled_from(CURRENCIES),
    minimum_reward=moneys,
    application_deadline_after=st.integers(-1, 3),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    role=st.sampled_from(["brand", "creator", "operator"]),
    fields=filters,
    order_by=st.sampled_from(
        [
            "create_time desc",
            "create_time",
            "application_deadline_time",
            "submission_deadline_time",
            "reward desc",
        ]
    ),
    page_size=st.sampled_from([1, 3, 20]),
)
async def test_a_list_equals_that_of_the_model(
    harness: Harness, model: Model, role: str, fields: dict[str, Any], order_by: str, page_size: int
) -> None:
    if role != "creator":
        fields.pop("is_takable", None)
    if "minimum_reward" in fields:
        fields.pop("currency_code", None)
    elif order_by == "reward desc":
        fields.setdefault("currency_code", "USD")
    if "application_deadline_after" in fields:
        after = model.now + fields["application_deadline_after"] * DAY
        fields["application_deadline_after"] = to_timestamp(after)
    filter_ = pb.TaskFilter(**fields)
    request = pb.ListTasksRequest(filter=filter_, order_by=order_by, page_size=page_size)
    stub: Any = getattr(harness, role)()
    names: list[str] = []
    while True:
        page = await stub.ListTasks(request)
        names += [task.name for task in page.tasks]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert names == model.names(role, filter_, order_by)
