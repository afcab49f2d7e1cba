"""ListTasks: visibility, filters and orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from servicekit.errors import Reason, Unavailable
from servicekit.money import Money
from servicekit.timestamps import to_timestamp
from services.tasks.domain import State
from services.tasks.recording.domain import RecordedTask
from tests.integration.tasks.harness import DAY, INSTANT, Harness, id_of
from tests.support.serving import refused, request_id

LIVE_STREAM = {"content_types": [pb.CONTENT_TYPE_LIVE_STREAM]}


def _money(amount_minor: int, currency: str = "USD") -> pb.Reward:
    return pb.Reward(money=Money(currency, amount_minor).to_message())


_LAMP = pb.Reward(product=pb.ProductReward(title="A lamp"))


async def _names(stub: Any, order_by: str = "", **filters: Any) -> list[str]:
    """The names on all pages, with two tasks a page."""
    request = pb.ListTasksRequest(filter=pb.TaskFilter(**filters), order_by=order_by, page_size=2)
    names: list[str] = []
    while True:
        page = await stub.ListTasks(request)
        assert len(page.tasks) <= 2
        names += [task.name for task in page.tasks]
        if not page.next_page_token:
            return names
        request.page_token = page.next_page_token


async def _titles(harness: Harness, stub: Any, order_by: str = "", **filters: Any) -> str:
    """The first letters of the titles, in the order of the list."""
    names = await _names(stub, order_by, **filters)
    tasks = [await harness.task_store.task(name.removeprefix("tasks/")) for name in names]
    return "".join(task.content.title[0] for task in tasks if task is not None)


async def _in_state(harness: Harness, state: State, brand: str = "acme") -> pb.Task:
    task = await harness.task(brand)
    await harness.record_store.record_task(RecordedTask(id_of(task), 2, state, [], []))
    return task


async def test_each_side_sees_its_tasks(harness: Harness) -> None:
    draft, published = await harness.draft(), await harness.task("other")
    drafts = {"states": [pb.Task.STATE_DRAFT]}
    mediator = TaskServiceStub(harness.served.as_mediator())
    assert await _names(harness.brand()) == [draft.name]
    assert await _names(harness.brand(), **drafts) == [draft.name]
    for other in (harness.creator(), harness.operator(), mediator):
        assert await _names(other) == [published.name]
        assert await _names(other, **drafts) == []


@pytest.mark.rule("R22")
async def test_creators_are_shown_what_is_open_until_its_deadline(harness: Harness) -> None:
    tasks = {state: await _in_state(harness, state) for state in State if state is not State.DRAFT}
    await harness.draft()
    assert await _names(harness.creator()) == [tasks[State.OPEN].name]
    every = [one for one in pb.Task.State.values() if one]
    assert await _names(harness.creator(), states=every) == [tasks[State.OPEN].name]
    for state in (State.SELECTING, State.CANCELLED, State.CLOSED):
        wanted = pb.Task.State.Value(f"STATE_{state}")
        assert await _names(harness.creator(), states=[wanted]) == []
        assert await _names(harness.operator(), states=[wanted]) == [tasks[state].name]
        assert await _names(harness.brand(), states=[wanted]) == [tasks[state].name]
    assert set(await _names(harness.operator())) == {task.name for task in tasks.values()}
    assert len(await _names(harness.brand())) == len(tasks) + 1
    harness.now += 2 * DAY - INSTANT
    assert await _names(harness.creator()) == [tasks[State.OPEN].name]
    harness.now += INSTANT  # the very deadline: it would be refused
    assert await _names(harness.creator()) == []
    assert len(await _names(harness.operator())) == len(tasks)


async def test_filtering_by_another_brand_returns_nothing(harness: Harness) -> None:
    own, foreign = await harness.task(), await harness.task("other")
    for stub in (harness.creator(), harness.operator()):
        assert await _names(stub, brand="brands/other") == [foreign.name]
        assert await _names(stub, brand="brands/nobody") == []
    assert await _names(harness.brand(), brand="brands/acme") == [own.name]
    assert await _names(harness.brand(), brand="brands/other") == []


async def _crowd(harness: Harness) -> None:
    """Five published tasks, A to E, that differ in every filtered field."""
    rewards = [_money(500), _money(2_000), _money(2_000), _money(9_000, "EUR"), _LAMP]
    kinds: list[Sequence[pb.ContentType.ValueType]] = [
        [pb.CONTENT_TYPE_VIDEO],
        [pb.CONTENT_TYPE_VIDEO, pb.CONTENT_TYPE_LIST],
        [pb.CONTENT_TYPE_ARTICLE],
        [pb.CONTENT_TYPE_CREATIVES],
        [pb.CONTENT_TYPE_TRANSLATION, pb.CONTENT_TYPE_ARTICLE],
    ]
    closing = [3, 1, 5, 1, 4]
    due = [20, 40, 30, 50, 20]
    for number, title in enumerate(("A shoe", "B shoes", "C red shoe", "Die Schuhe", "Éclair")):
        await harness.task(
            title=title,
            reward=rewards[number],
            content_types=kinds[number],
            application_deadline_time=to_timestamp(harness.now + closing[number] * DAY),
            submission_deadline_time=to_timestamp(harness.now + due[number] * DAY),
        )
        harness.now += INSTANT


@pytest.mark.parametrize(
    ("filters", "titles"),
    [
        ({}, "ÉDCBA"),
        ({"content_types": [pb.CONTENT_TYPE_VIDEO]}, "BA"),
        ({"content_types": [pb.CONTENT_TYPE_LIST, pb.CONTENT_TYPE_ARTICLE]}, "ÉCB"),
        ({"content_types": [pb.CONTENT_TYPE_LIVE_STREAM]}, ""),
        ({"reward_kind": pb.REWARD_KIND_MONEY}, "DCBA"),
        ({"reward_kind": pb.REWARD_KIND_PRODUCT}, "É"),
        ({"currency_code": "USD"}, "CBA"),
        ({"currency_code": "EUR"}, "D"),
        ({"currency_code": "GBP"}, ""),
        ({"currency_code": "USD", "reward_kind": pb.REWARD_KIND_PRODUCT}, ""),
        ({"minimum_reward": Money("USD", 2_000).to_message()}, "CB"),
        ({"minimum_reward": Money("USD", 2_001).to_message()}, ""),
        ({"minimum_reward": Money("EUR", 1).to_message()}, "D"),
        ({"query": "shoe"}, "CA"),
        ({"query": "SHOE red"}, "C"),
        ({"query": "éclair"}, "É"),
        ({"query": "shoe\nshoes"}, ""),
    ],
)
@pytest.mark.parametrize("role", ["brand", "creator", "operator"])
async def test_a_filter_narrows_the_list(
    harness: Harness, role: str, filters: dict[str, Any], titles: str
) -> None:
    await _crowd(harness)
    await harness.draft("other", title="X shoe red éclair")
    assert await _titles(harness, getattr(harness, role)(), **filters) == titles


async def test_tasks_are_found_by_when_their_applications_close(harness: Harness) -> None:
    begin = harness.now
    await _crowd(harness)

    async def closing_after(time: datetime) -> str:
        return await _titles(
            harness, harness.operator(), application_deadline_after=to_timestamp(time)
        )

    assert await closing_after(begin) == "ÉDCBA"
    assert await closing_after(begin + 3 * DAY - INSTANT) == "ÉCA"
    assert await closing_after(begin + 3 * DAY) == "ÉC"
    assert await closing_after(begin + 6 * DAY) == ""
    # A filter with a past time shows a creator nothing more.
    harness.now = begin + 3 * DAY
    past = to_timestamp(begin - DAY)
    assert await _titles(harness, harness.creator(), application_deadline_after=past) == "ÉC"


@pytest.mark.parametrize(
    ("order_by", "titles"),
    [
        ("create_time desc", "ÉDCBA"),
        ("create_time", "ABCDÉ"),
        ("  create_time   desc ", "ÉDCBA"),
        ("application_deadline_time", "BDAÉC"),
        ("submission_deadline_time", "AÉCBD"),
    ],
)
@pytest.mark.parametrize("role", ["brand", "creator", "operator"])
async def test_a_list_comes_in_the_order_asked_for(
    harness: Harness, role: str, order_by: str, titles: str
) -> None:
    await _crowd(harness)
    assert await _titles(harness, getattr(harness, role)(), order_by) == titles


@pytest.mark.parametrize("role", ["brand", "creator", "operator"])
async def test_rewards_are_compared_in_one_currency(harness: Harness, role: str) -> None:
    await _crowd(harness)
    stub = getattr(harness, role)()
    listed = await _titles(harness, stub, "reward desc", currency_code="USD")
    assert listed in ("BCA", "CBA")  # B and C give the same
    least = Money("USD", 501).to_message()
    assert sorted(await _titles(harness, stub, "reward desc", minimum_reward=least)) == ["B", "C"]
    with refused(Reason.INVALID_FIELDS, "order_by"):
        await stub.ListTasks(pb.ListTasksRequest(order_by="reward desc"))


ORDERS = [
    "create_time desc",
    "create_time",
    "application_deadline_time",
    "submission_deadline_time",
    "reward desc",
]


@pytest.mark.parametrize("order_by", ORDERS)
@pytest.mark.parametrize("role", ["brand", "creator", "operator"])
async def test_pages_neither_lose_nor_repeat_while_tasks_are_added(
    harness: Harness, role: str, order_by: str
) -> None:
    # With equal times, deadlines and rewards only the id orders them.
    names = {(await harness.task()).name for _ in range(7)}
    request = pb.ListTasksRequest(
        filter=pb.TaskFilter(currency_code="USD"), order_by=order_by, page_size=2
    )
    stub = getattr(harness, role)()
    found: list[str] = []
    for seconds in range(-20, 20):
        page = await stub.ListTasks(request)
        found += [task.name for task in page.tasks]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
        harness.now += seconds * INSTANT  # before, within and after what was listed
        await harness.task(reward=_money(10_000 + seconds))
        harness.now -= seconds * INSTANT
    assert len(set(found)) == len(found)
    assert names <= set(found)


async def test_words_are_whole_words_however_they_are_joined(harness: Harness) -> None:
    task = await harness.task(
        title="Hands-on: either/or (3.5 mm) by Ünal&Co.",
        description="See https://example.com/lamp_one — 连衣裙 ＡＢＣ, ПРИВЕТ\nend",
    )
    await harness.task(title="Another", description="thing")
    for words in (
        "hands",
        "ON or",
        "Either",
        "hands-on",
        "3.5",
        "5 3 MM",
        "ünal",
        "ÜNAL co",
        "example.com",
        "lamp",
        "one lamp https",
        "连衣裙",
        "abc",
        "привет END",
        "hands\thands",
        "'hands' -on \"either\" <or>",
        "hands & either | (or !mm) :*",
    ):
        assert await _names(harness.creator(), query=words) == [task.name], words
    for words in ("hand", "han%", "h_nds", "hands another", "конец", "thing lamp", "or 1=1"):
        assert await _names(harness.creator(), query=words) == [], words


async def test_a_search_takes_what_people_type(harness: Harness) -> None:
    task = await harness.task(title="a" * 120, description="\u0301 ½ " + "b " * 4_990)
    for words in ("½", "b" * 200, "b " * 100, "'" * 199 + "b", "\\b", "b\u0301", "🎉b", "$1 {0}"):
        assert set(await _names(harness.creator(), query=words)) <= {task.name}
    assert await _names(harness.creator(), query="a" * 120) == [task.name]


async def test_a_creator_finds_what_it_may_take(harness: Harness) -> None:
    usual = await harness.task(title="usual")
    internal = await harness.task(
        eligibility=pb.Eligibility(account_classes=[creators_pb2.ACCOUNT_CLASS_INTERNAL])
    )
    external = await harness.task(
        eligibility=pb.Eligibility(account_classes=[creators_pb2.ACCOUNT_CLASS_EXTERNAL])
    )
    expert = await harness.task(
        eligibility=pb.Eligibility(minimum_level=creators_pb2.CREATOR_LEVEL_EXPERT)
    )
    live = await harness.task(**LIVE_STREAM)
    brands = await harness.task(
        **LIVE_STREAM, live_stream_channel=pb.LIVE_STREAM_CHANNEL_BRAND_ACCOUNT
    )
    every = {task.name for task in (usual, internal, external, expert, live, brands)}

    async def takable(**creator: Any) -> set[str]:
        harness.creators.changed["bea"] = creator
        names = await _names(harness.creator(), is_takable=True)
        assert set(await _names(harness.creator())) == every
        return set(names)

    assert await takable() == every - {external.name, expert.name, live.name}
    assert await takable(account_class="EXTERNAL") == every - {
        internal.name,
        expert.name,
        live.name,
    }
    assert await takable(level="ADVANCED") == every - {external.name, expert.name, live.name}
    assert await takable(level="EXPERT") == every - {external.name, live.name}
    assert await takable(level="STAR", has_live_stream_access=True) == every - {external.name}
    assert await takable(is_admitted=False, level="UNSPECIFIED", account_class="") == set()
    assert await takable(has_payout_account=False) == set()
    assert await takable(unmet_rule_ids=("R3",)) == set()


async def test_tasks_that_a_creator_applied_for_are_not_takable(harness: Harness) -> None:
    first, second = await harness.task(), await harness.task()
    application = await harness.apply(first)
    assert await _names(harness.creator(), is_takable=True) == [second.name]
    assert len(await _names(harness.creator("cem"), is_takable=True)) == 2
    assert len(await _names(harness.creator())) == 2
    await harness.withdraw(application)
    assert len(await _names(harness.creator(), is_takable=True)) == 2


async def test_every_takable_task_accepts_an_application(harness: Harness) -> None:
    await _crowd(harness)
    taken = 0
    while names := await _names(harness.creator(), is_takable=True):
        await harness.apply(pb.Task(name=names[0]))
        taken += 1
    assert taken == 5


async def test_asking_for_what_is_takable_asks_about_the_creator_once(harness: Harness) -> None:
    await _crowd(harness)
    takable = pb.ListTasksRequest(filter=pb.TaskFilter(is_takable=True), page_size=5)
    assert len((await harness.creator().ListTasks(takable)).tasks) == 5
    assert harness.creators.asked == ["bea"]
    await harness.creator().ListTasks(pb.ListTasksRequest())
    assert harness.creators.asked == ["bea"]
    for other in (harness.brand(), harness.operator()):
        with refused(Reason.INVALID_FIELDS, "filter.is_takable"):
            await other.ListTasks(takable)


async def test_a_cancelled_task_is_gone_from_the_creators_list(harness: Harness) -> None:
    task = await harness.task()
    assert await _names(harness.creator()) == [task.name]
    await harness.brand().CancelTask(
        pb.CancelTaskRequest(name=task.name, comment="No", request_id=request_id())
    )
    assert await _names(harness.creator()) == []
    assert await _names(harness.operator(), states=[pb.Task.STATE_CANCELLED]) == [task.name]


async def test_an_unavailable_creators_service_is_an_error_not_an_empty_list(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.task()

    async def away(creator_id: str) -> Any:
        raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "The creators service does not answer")

    monkeypatch.setattr(harness.creators, "candidate", away)
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await _names(harness.creator(), is_takable=True)
