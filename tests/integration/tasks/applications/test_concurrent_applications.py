"""Concurrent applications share SQL statements; each gets its own result."""

import asyncio

from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import LiaisonError, Reason
from tests.integration.tasks.harness import Harness, id_of
from tests.support.serving import refused, request_id


def _applying(task: pb.Task, message: str = "") -> pb.CreateApplicationRequest:
    return pb.CreateApplicationRequest(
        parent=task.name,
        application=pb.Application(message=message),
        request_id=request_id(),
    )


async def _listed(harness: Harness, task: pb.Task) -> list[pb.Application]:
    found: list[pb.Application] = []
    request = pb.ListApplicationsRequest(parent=task.name, page_size=25)
    while True:
        page = await harness.brand().ListApplications(request)
        found += page.applications
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_concurrent_applications_are_each_stored_once(harness: Harness) -> None:
    """Every creator sends each request twice; all apply for the same task."""
    popular, other = await harness.task(), await harness.task()
    creators = {f"creator-{number}": harness.creator(f"creator-{number}") for number in range(60)}
    requests = {name: _applying(popular, f"I am {name}") for name in creators}
    sent = [(name, request) for name, request in requests.items() for _ in range(2)]
    sent += [(name, _applying(other)) for name in list(creators)[:20]]
    answers = await asyncio.gather(
        *(creators[name].CreateApplication(request) for name, request in sent)
    )
    for (name, request), answer in zip(sent, answers, strict=True):
        assert answer.creator == f"creators/{name}"
        assert answer.name.startswith(f"{request.parent}/")
        assert answer.message == request.application.message
    assert answers[0:120:2] == answers[1:120:2]
    listed = await _listed(harness, popular)
    assert {one.name: one for one in listed} == {one.name: one for one in answers[:120]}
    assert len(listed) == 60
    assert len(await _listed(harness, other)) == 20


async def test_of_two_bodies_with_one_request_id_one_is_stored(harness: Harness) -> None:
    task, other = await harness.task(), await harness.task()
    first = _applying(task, "Me, please")
    requests = [pb.CreateApplicationRequest() for _ in range(3)]
    for request in requests:
        request.CopyFrom(first)
    requests[1].application.message = "Or me"
    requests[2].parent = other.name
    answers = await asyncio.gather(
        *map(harness.creator().CreateApplication, requests), return_exceptions=True
    )
    made = [answer for answer in answers if isinstance(answer, pb.Application)]
    reasons = [answer.reason for answer in answers if isinstance(answer, LiaisonError)]
    assert (len(made), reasons) == (1, [Reason.REQUEST_ID_REUSED] * 2)
    assert len(await _listed(harness, task) + await _listed(harness, other)) == 1


async def test_a_refused_application_does_not_fail_its_batch(harness: Harness) -> None:
    task, closed = await harness.task(), await harness.task()
    await harness.apply(closed, "creator-0")
    harness.creators.changed["creator-1"] = {"is_admitted": False}
    answers = await asyncio.gather(
        harness.creator("creator-0").CreateApplication(_applying(closed)),
        harness.creator("creator-1").CreateApplication(_applying(task)),
        *(
            harness.creator(f"creator-{number}").CreateApplication(_applying(task))
            for number in range(2, 20)
        ),
        return_exceptions=True,
    )
    reasons = [answer.reason for answer in answers if isinstance(answer, LiaisonError)]
    assert reasons == [Reason.ALREADY_APPLIED, Reason.CREATOR_NOT_ADMITTED]
    assert len(await _listed(harness, task)) == 18


async def test_eligibility_is_not_cached(harness: Harness) -> None:
    """A task's content is cached, a creator's eligibility is not."""
    task = await harness.task(eligibility=pb.Eligibility(minimum_level=2))
    with refused(Reason.CREATOR_NOT_ELIGIBLE):
        await harness.apply(task)
    harness.creators.changed["bea"] = {"level": "JUNIOR"}
    first = await harness.apply(task)
    await harness.withdraw(first)
    harness.creators.changed["bea"] = {"level": "NEWCOMER"}
    with refused(Reason.CREATOR_NOT_ELIGIBLE):
        await harness.apply(task)


async def test_a_draft_is_not_cached(harness: Harness) -> None:
    draft = await harness.draft()
    with refused(Reason.NOT_YOURS):
        await harness.apply(draft)
    task = await harness.publish(draft)
    assert (await harness.apply(task)).state == pb.Application.STATE_APPLIED


async def test_a_repeated_application_is_answered_as_at_first_whatever_became_of_it(
    harness: Harness,
) -> None:
    """It was withdrawn since, and the creator may no longer apply."""
    task, other = await harness.task(), await harness.task()
    request = _applying(task)
    first = await harness.creator().CreateApplication(request)
    await harness.withdraw(first)
    harness.creators.changed["bea"] = {"is_admitted": False}
    assert await harness.creator().CreateApplication(request) == first
    request.request_id = request.request_id.upper()
    assert await harness.creator().CreateApplication(request) == first
    assert [id_of(one) for one in await _listed(harness, task)] == [id_of(first)]
    for parent in (other.name, "tasks/nothing"):
        request.parent = parent
        with refused(Reason.REQUEST_ID_REUSED):
            await harness.creator().CreateApplication(request)


async def test_a_refused_application_leaves_its_request_id_free(harness: Harness) -> None:
    task = await harness.task()
    request = _applying(task)
    harness.creators.changed["bea"] = {"is_admitted": False}
    with refused(Reason.CREATOR_NOT_ADMITTED):
        await harness.creator().CreateApplication(request)
    harness.creators.changed["bea"] = {"is_admitted": True}
    request.application.message = "Me, please"
    assert (await harness.creator().CreateApplication(request)).message == "Me, please"
