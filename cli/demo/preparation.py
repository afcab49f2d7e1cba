"""The demo up to the selection: deposit, admissions, task and applications."""

import asyncio
from datetime import UTC, datetime, timedelta

from liaison.creators.v1 import creators_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import tasks_pb2

from cli.demo import articles
from cli.demo.actors import call_until_answered, new_request_id
from cli.demo.applicants import APPLICANTS, DEPOSIT, INTERNAL, REWARD, SELECTED, Applicant
from cli.demo.story import Story
from servicekit.errors import FailedPrecondition
from servicekit.timestamps import to_timestamp


async def prepare(story: Story) -> None:
    """Until three creators are selected."""
    story.timeline.section("Funds and creators")
    await asyncio.gather(_deposit(story), *(_admit(story, one) for one in APPLICANTS))
    story.timeline.section("The task")
    await _publish(story)
    await _apply(story)
    await _select(story)


async def _deposit(story: Story) -> None:
    deposit = await call_until_answered(
        story.acme.payouts.CreateDeposit,
        payouts_pb2.CreateDepositRequest(
            parent=f"brands/{story.actors.id_of('acme')}",
            deposit=payouts_pb2.Deposit(amount=DEPOSIT.to_message()),
            request_id=new_request_id(),
        ),
    )
    story.timeline.add("brand", "acme", f"announces a deposit of {DEPOSIT}")
    await call_until_answered(
        story.olga.payouts.ConfirmDeposit,
        payouts_pb2.ConfirmDepositRequest(
            name=deposit.name,
            external_reference=f"bank-{story.actors.run_id}",
            request_id=new_request_id(),
        ),
    )
    story.timeline.add("operator", "olga", "confirms that the money has arrived")


async def _admit(story: Story, one: Applicant) -> None:
    creator = await _apply_for_admission(story, one)
    if creator.refusals:
        reasons = "; ".join(f"{one.description} ({one.rule_id})" for one in creator.refusals)
        story.timeline.add("platform", "", f"refuses {one.name} at once: {reasons}")
        return
    await call_until_answered(
        story.olga.creators.ReviewAdmission,
        creators_pb2.ReviewAdmissionRequest(
            name=creator.name,
            decision=creators_pb2.ReviewAdmissionRequest.DECISION_APPROVE,
            level=creators_pb2.CREATOR_LEVEL_JUNIOR,
            request_id=new_request_id(),
        ),
    )
    story.timeline.add("operator", "olga", f"reviews {one.name}'s content and admits")


async def _apply_for_admission(story: Story, one: Applicant) -> creators_pb2.Creator:
    name = f"creators/{story.actors.id_of(one.name)}"
    caller = story.creators[one.name].creators
    await call_until_answered(
        caller.CreateCreator,
        creators_pb2.CreateCreatorRequest(
            creator=creators_pb2.Creator(
                name=name, display_name=one.name.title(), mobile_number="+34612345678"
            ),
            request_id=new_request_id(),
        ),
    )
    creator = await call_until_answered(
        caller.ApplyForAdmission,
        creators_pb2.ApplyForAdmissionRequest(
            name=name,
            account=creators_pb2.SocialAccount(
                account_class=one.account_class,
                handle=f"@{one.name}",
                post_count=one.posts,
                follower_count=one.followers,
            ),
            paypal_receiver=one.paypal_receiver,
            request_id=new_request_id(),
        ),
    )
    kind = "an internal" if one.account_class == INTERNAL else "an external"
    account = f"{kind} account, {one.posts} posts, {one.followers} followers"
    story.timeline.add("creator", one.name, f"applies for admission with {account}")
    return creator


async def _publish(story: Story) -> None:
    now = datetime.now(UTC)
    draft = await call_until_answered(
        story.acme.tasks.CreateTask,
        tasks_pb2.CreateTaskRequest(
            task=tasks_pb2.Task(
                title="An article about our new backpacks",
                content_types=[tasks_pb2.CONTENT_TYPE_ARTICLE],
                requirements=[
                    tasks_pb2.Requirement(text="Show the backpack in use, outdoors"),
                    tasks_pb2.Requirement(text="Show the label close up"),
                ],
                reward=tasks_pb2.Reward(money=REWARD.to_message()),
                creator_slots=3,
                application_deadline_time=to_timestamp(now + timedelta(seconds=25)),
                submission_deadline_time=to_timestamp(now + timedelta(seconds=45)),
                policy="policies/accelerated",
                store_coupons=[articles.COUPONS],
            ),
            request_id=new_request_id(),
        ),
    )
    story.task = draft.name
    story.timeline.add(
        "brand", "acme", f"drafts {story.task}: an article, 3 creators, {REWARD} each, a coupon"
    )
    await call_until_answered(
        story.acme.tasks.PublishTask,
        tasks_pb2.PublishTaskRequest(name=story.task, request_id=new_request_id()),
    )
    story.timeline.add("brand", "acme", "publishes it: requirements, reward and clocks are frozen")


async def _apply(story: Story) -> None:
    for name in ("anna", "ben", "cleo", "dora"):
        application = await call_until_answered(
            story.creators[name].tasks.CreateApplication,
            tasks_pb2.CreateApplicationRequest(parent=story.task, request_id=new_request_id()),
        )
        story.applications[name] = application.name
        story.timeline.add("creator", name, "applies for the task")
    try:
        await call_until_answered(
            story.creators["eddy"].tasks.CreateApplication,
            tasks_pb2.CreateApplicationRequest(parent=story.task, request_id=new_request_id()),
        )
    except FailedPrecondition as refusal:
        story.timeline.add("creator", "eddy", f"applies and is refused: {refusal.reason}")
    else:
        raise AssertionError("eddy is not admitted, and could apply")
    await call_until_answered(
        story.creators["dora"].tasks.WithdrawApplication,
        tasks_pb2.WithdrawApplicationRequest(
            name=story.applications["dora"], request_id=new_request_id()
        ),
    )
    story.timeline.add("creator", "dora", "withdraws in time")


async def _select(story: Story) -> None:
    await call_until_answered(
        story.acme.tasks.SelectApplications,
        tasks_pb2.SelectApplicationsRequest(
            parent=story.task,
            applications=[story.applications[name] for name in SELECTED],
            request_id=new_request_id(),
        ),
    )
    story.timeline.add(
        "brand", "acme", f"selects {', '.join(SELECTED)}; their rewards are set aside"
    )
