"""Selection on the whole stack: concurrent selections, withdrawals during a selection, and ending a
selection as brand or operator."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from liaison.creators.v1 import creators_pb2
from liaison.notifications.v1 import notifications_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import assignments_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from cli.demo.actors import Actors, Caller, call_until_answered, new_request_id, until
from devstack.stack import Stack
from servicekit.errors import LiaisonError, Reason
from servicekit.money import Money
from servicekit.timestamps import to_timestamp
from tests.support.demo import whole_stack
from tests.support.serving import refused

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("story")]

_CREATORS = 30
_APPLIED, _SELECTED = pb.Application.STATE_APPLIED, pb.Application.STATE_SELECTED
_LAPSED, _WITHDRAWN = pb.Application.STATE_LAPSED, pb.Application.STATE_WITHDRAWN


@dataclass
class Market:
    """A brand with funds, an operator, and admitted creators."""

    actors: Actors
    brand: Caller
    operator: Caller
    creators: list[Caller]

    async def task(self, slots: int) -> pb.Task:
        now = datetime.now(UTC)
        task = await self.brand.tasks.CreateTask(
            pb.CreateTaskRequest(
                task=pb.Task(
                    title="A review",
                    content_types=[pb.CONTENT_TYPE_ARTICLE],
                    requirements=[pb.Requirement(text="Write")],
                    reward=pb.Reward(money=Money("USD", 1_00).to_message()),
                    creator_slots=slots,
                    application_deadline_time=to_timestamp(now + timedelta(hours=1)),
                    submission_deadline_time=to_timestamp(now + timedelta(days=10)),
                ),
                request_id=new_request_id(),
            )
        )
        return await self.brand.tasks.PublishTask(
            pb.PublishTaskRequest(name=task.name, request_id=new_request_id())
        )

    async def applications(self, task: pb.Task, count: int) -> list[pb.Application]:
        """Applications of the first `count` creators, in their order."""
        return await asyncio.gather(
            *(
                call_until_answered(
                    creator.tasks.CreateApplication,
                    pb.CreateApplicationRequest(parent=task.name, request_id=new_request_id()),
                )
                for creator in self.creators[:count]
            )
        )

    async def select(self, task: pb.Task, *applications: pb.Application) -> list[pb.Application]:
        answer = await call_until_answered(
            self.brand.tasks.SelectApplications,
            pb.SelectApplicationsRequest(
                parent=task.name,
                applications=[one.name for one in applications],
                request_id=new_request_id(),
            ),
        )
        return list(answer.applications)

    async def withdraw(self, number: int, application: pb.Application) -> pb.Application:
        return await call_until_answered(
            self.creators[number].tasks.WithdrawApplication,
            pb.WithdrawApplicationRequest(name=application.name, request_id=new_request_id()),
        )

    async def end_selection(self, caller: Caller, task: pb.Task, comment: str = "") -> pb.Task:
        return await call_until_answered(
            caller.tasks.EndSelection,
            pb.EndSelectionRequest(name=task.name, comment=comment, request_id=new_request_id()),
        )

    async def cancel(self, caller: Caller, task: pb.Task, comment: str) -> pb.Task:
        return await call_until_answered(
            caller.tasks.CancelTask,
            pb.CancelTaskRequest(name=task.name, comment=comment, request_id=new_request_id()),
        )

    async def states(self, task: pb.Task) -> dict[str, pb.Application.State.ValueType]:
        """By the applications' names."""
        page = await self.brand.tasks.ListApplications(
            pb.ListApplicationsRequest(parent=task.name, page_size=200)
        )
        return {one.name: one.state for one in page.applications}

    async def assigned(self, task: pb.Task) -> set[str]:
        """The ids of its assignments, which are those of the applications."""
        page = await self.brand.assignments.ListAssignments(
            assignments_pb2.ListAssignmentsRequest(task=task.name, page_size=200)
        )
        return {one.name.removeprefix("assignments/") for one in page.assignments}

    async def history(self, task: pb.Task) -> list[pb.TaskTransition]:
        answer = await self.brand.tasks.ListTaskTransitions(
            pb.ListTaskTransitionsRequest(parent=task.name)
        )
        return list(answer.transitions)

    async def notification_text(self, caller: Caller, event: str, subject: str) -> str:
        """Waits for a notification and returns its text."""

        def found(page: notifications_pb2.ListNotificationsResponse) -> list[str]:
            return [
                one.text
                for one in page.notifications
                if (one.event, one.subject) == (event, subject)
            ]

        page = await until(
            lambda: caller.notifications.ListNotifications(
                notifications_pb2.ListNotificationsRequest(page_size=200)
            ),
            lambda page: bool(found(page)),
            timeout_seconds=30,
        )
        (text,) = found(page)
        return text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with whole_stack(tmp_path_factory.mktemp("selecting")) as stack:
        yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def market(stack: Stack) -> AsyncIterator[Market]:
    async with AsyncExitStack() as exits:
        actors = Actors("market", stack.access, exits)
        brand, operator = actors.brand("acme"), actors.staff("operator", "olga")
        names = [f"creator{number}" for number in range(_CREATORS)]
        creators = [actors.creator(name) for name in names]
        await _deposit(actors, brand, operator)
        await asyncio.gather(
            *(
                _admit(actors, operator, creator, name)
                for creator, name in zip(creators, names, strict=True)
            )
        )
        yield Market(actors, brand, operator, creators)


async def _deposit(actors: Actors, brand: Caller, operator: Caller) -> None:
    deposit = await brand.payouts.CreateDeposit(
        payouts_pb2.CreateDepositRequest(
            parent=f"brands/{actors.id_of('acme')}",
            deposit=payouts_pb2.Deposit(amount=Money("USD", 10_000_00).to_message()),
            request_id=new_request_id(),
        )
    )
    await operator.payouts.ConfirmDeposit(
        payouts_pb2.ConfirmDepositRequest(
            name=deposit.name, external_reference="market", request_id=new_request_id()
        )
    )


async def _admit(actors: Actors, operator: Caller, creator: Caller, name: str) -> None:
    resource = f"creators/{actors.id_of(name)}"
    await creator.creators.CreateCreator(
        creators_pb2.CreateCreatorRequest(
            creator=creators_pb2.Creator(
                name=resource, display_name=name, mobile_number="+34612345678"
            ),
            request_id=new_request_id(),
        )
    )
    await creator.creators.ApplyForAdmission(
        creators_pb2.ApplyForAdmissionRequest(
            name=resource,
            account=creators_pb2.SocialAccount(
                account_class=creators_pb2.ACCOUNT_CLASS_EXTERNAL,
                handle=f"@{name}",
                post_count=100,
                follower_count=10_000,
            ),
            paypal_receiver=f"{name}@example.com",
            request_id=new_request_id(),
        )
    )
    await operator.creators.ReviewAdmission(
        creators_pb2.ReviewAdmissionRequest(
            name=resource,
            decision=creators_pb2.ReviewAdmissionRequest.DECISION_APPROVE,
            request_id=new_request_id(),
        )
    )


def _id(application: pb.Application) -> str:
    return application.name.rpartition("/")[2]


async def _watched(call: Any, last_event: str) -> list[pb.TaskTransition]:
    seen: list[pb.TaskTransition] = []
    async with asyncio.timeout(60):
        async for transition in call:
            seen.append(transition)
            if transition.event == last_event:
                break
    return seen


@pytest.mark.rule("R12", "R25")
async def test_concurrent_selections_fill_exactly_the_slots(market: Market) -> None:
    task = await market.task(slots=5)
    applications = await market.applications(task, _CREATORS)
    answers = await asyncio.gather(
        *(market.select(task, application) for application in applications),
        return_exceptions=True,
    )
    won = {
        one.name
        for one, answer in zip(applications, answers, strict=True)
        if isinstance(answer, list)
    }
    reasons = [answer.reason for answer in answers if isinstance(answer, LiaisonError)]
    assert len(won) == 5
    assert len(reasons) == _CREATORS - 5
    # Some arrive when no slot is left, others after the last slot ended the selection.
    assert set(reasons) <= {Reason.SLOTS_EXHAUSTED, Reason.ILLEGAL_STATE}
    await until(lambda: market.states(task), lambda found: _APPLIED not in found.values())
    expected = {one.name: _SELECTED if one.name in won else _LAPSED for one in applications}
    assert await market.states(task) == expected
    assert await market.assigned(task) == {name.rpartition("/")[2] for name in won}
    history = await market.history(task)
    assert [one.sequence for one in history] == list(range(1, len(history) + 1))
    assert sorted(name for one in history for name in one.applications) == sorted(won)
    assert history[-1].to_state == pb.Task.STATE_IN_PROGRESS


@pytest.mark.rule("R39", "R46")
async def test_exactly_one_of_a_concurrent_withdrawal_and_selection_succeeds(
    market: Market,
) -> None:
    task = await market.task(slots=10)
    applications = await market.applications(task, 10)
    selections = asyncio.gather(
        *(market.select(task, one) for one in applications), return_exceptions=True
    )
    withdrawals = asyncio.gather(
        *(market.withdraw(number, one) for number, one in enumerate(applications)),
        return_exceptions=True,
    )
    for application, selected, withdrawn in zip(
        applications, await selections, await withdrawals, strict=True
    ):
        assert isinstance(selected, list) is not isinstance(withdrawn, pb.Application)
        (refusal,) = [one for one in (selected, withdrawn) if isinstance(one, LiaisonError)]
        assert refusal.reason is Reason.ILLEGAL_STATE
        is_selected = isinstance(selected, list)
        states = await market.states(task)
        assert states[application.name] == (_SELECTED if is_selected else _WITHDRAWN)
        assert (_id(application) in await market.assigned(task)) is is_selected


@pytest.mark.rule("R25")
async def test_a_brand_ends_the_selection_and_continues_with_those_selected(market: Market) -> None:
    task = await market.task(slots=5)
    chosen, other = await market.applications(task, 2)
    with refused(Reason.NOBODY_SELECTED):
        await market.end_selection(market.brand, task)
    await market.select(task, chosen)
    watching = asyncio.ensure_future(
        _watched(
            market.creators[1].tasks.WatchTask(pb.WatchTaskRequest(name=task.name)),
            "SELECTION_ENDED",
        )
    )
    ended = await market.end_selection(market.brand, task)
    assert ended.state == pb.Task.STATE_IN_PROGRESS
    history = await market.history(task)
    assert [(one.event, one.actor) for one in history] == [
        ("PUBLISHED", task.brand),
        ("CREATORS_SELECTED", task.brand),
        ("SELECTION_ENDED", task.brand),
    ]
    for shown in history:
        shown.ClearField("applications")
    assert await watching == history
    await market.notification_text(market.creators[1], "APPLICATION_LAPSED", task.name)
    assert await market.states(task) == {chosen.name: _SELECTED, other.name: _LAPSED}
    with refused(Reason.ILLEGAL_STATE):
        await market.end_selection(market.brand, task)
    with refused(Reason.ILLEGAL_STATE):
        await market.cancel(market.brand, task, "Too late")
    with refused(Reason.ILLEGAL_STATE):
        await market.select(task, other)


async def test_an_operator_ends_a_selection_and_the_brand_gets_the_reason(market: Market) -> None:
    task = await market.task(slots=5)
    chosen, _ = await market.applications(task, 2)
    await market.select(task, chosen)
    with refused(Reason.INVALID_FIELDS, "comment"):
        await market.end_selection(market.operator, task)
    await market.end_selection(market.operator, task, "They asked by mail")
    last = (await market.history(task))[-1]
    assert (last.event, last.actor, last.comment) == (
        "SELECTION_ENDED",
        "staff/olga",
        "They asked by mail",
    )
    text = await market.notification_text(market.brand, "TASK_SELECTION_ENDED", task.name)
    assert "They asked by mail" in text


async def test_an_operator_cancels_a_task_and_all_get_the_reason(market: Market) -> None:
    task = await market.task(slots=5)
    (application,) = await market.applications(task, 1)
    cancelled = await market.cancel(market.operator, task, "Forbidden goods")
    assert cancelled.state == pb.Task.STATE_CANCELLED
    history = await market.history(task)
    assert [(one.event, one.actor, one.comment) for one in history] == [
        ("PUBLISHED", task.brand, ""),
        ("CANCELLED", "staff/olga", "Forbidden goods"),
    ]
    for caller, event in (
        (market.brand, "TASK_CANCELLED"),
        (market.creators[0], "APPLICATION_LAPSED"),
    ):
        assert "Forbidden goods" in await market.notification_text(caller, event, task.name)
    assert await market.states(task) == {application.name: _LAPSED}
