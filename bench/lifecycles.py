"""Runs lifecycles of paid articles over gRPC against the whole stack."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from liaison.creators.v1 import creators_pb2
from liaison.media.v1 import articles_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import assignments_pb2, tasks_pb2

from cli.demo.actors import Actors, Caller, new_request_id
from devstack.access import Access
from servicekit.money import Money
from servicekit.timestamps import to_timestamp

_REWARD = Money("USD", 1_00)


@dataclass(frozen=True)
class Lifecycles:
    """A brand with funds and admitted creators, who are used for many tasks."""

    brand: Caller
    creators: list[Caller]
    brand_id: str
    creator_ids: list[str]

    @classmethod
    async def prepare(cls, access: Access, exits: AsyncExitStack, *, creators: int) -> "Lifecycles":
        actors = Actors("bench", access, exits)
        brand, operator = actors.brand("acme"), actors.staff("operator", "olga")
        deposit = await brand.payouts.CreateDeposit(
            payouts_pb2.CreateDepositRequest(
                parent=f"brands/{actors.id_of('acme')}",
                deposit=payouts_pb2.Deposit(amount=Money("USD", 100_000_00).to_message()),
                request_id=new_request_id(),
            )
        )
        await operator.payouts.ConfirmDeposit(
            payouts_pb2.ConfirmDepositRequest(
                name=deposit.name, external_reference="bench", request_id=new_request_id()
            )
        )
        names = [f"creator{number}" for number in range(creators)]
        admitted = [await _admit(actors, operator, name) for name in names]
        return cls(brand, admitted, actors.id_of("acme"), [actors.id_of(name) for name in names])

    async def run(self, creator_number: int) -> str:
        """Runs one task from draft to paid; returns the assignment's id."""
        creator = self.creators[creator_number]
        name = await self.hire(creator)
        await self._work(creator, name)
        return name.removeprefix("assignments/")

    async def hire(self, creator: Caller) -> str:
        """Runs one task from draft to selection; returns the assignment's name."""
        task = await self.open_task()
        application = await creator.tasks.CreateApplication(
            tasks_pb2.CreateApplicationRequest(parent=task, request_id=new_request_id())
        )
        await self.brand.tasks.SelectApplications(
            tasks_pb2.SelectApplicationsRequest(
                parent=task, applications=[application.name], request_id=new_request_id()
            )
        )
        return f"assignments/{application.name.rpartition('/')[2]}"

    async def open_task(self, draft: tasks_pb2.Task | None = None) -> str:
        """Publishes a task; returns its name."""
        task = await self.brand.tasks.CreateTask(
            tasks_pb2.CreateTaskRequest(task=draft or _draft(), request_id=new_request_id())
        )
        await self.brand.tasks.PublishTask(
            tasks_pb2.PublishTaskRequest(name=task.name, request_id=new_request_id())
        )
        return task.name

    async def _work(self, creator: Caller, name: str) -> None:
        article = await write(creator, name)
        await submit(creator, name, article)
        await self.brand.assignments.RequestChanges(
            assignments_pb2.RequestChangesRequest(
                name=name,
                comment="Please",
                requirement_ids=["req-1"],
                request_id=new_request_id(),
            )
        )
        await submit(creator, name, article)
        await self.brand.assignments.ApproveWork(
            assignments_pb2.ApproveWorkRequest(name=name, request_id=new_request_id())
        )
        # Watched instead of polled: the pause between polls would be measured too.
        async for transition in creator.assignments.WatchAssignment(
            assignments_pb2.WatchAssignmentRequest(name=name)
        ):
            if transition.to_state == assignments_pb2.Assignment.STATE_COMPLETED:
                return
        raise RuntimeError(f"{name} was not completed")


async def write(creator: Caller, assignment: str) -> str:
    """Creates a short article; returns its name."""
    article = await creator.articles.CreateArticle(
        articles_pb2.CreateArticleRequest(
            article=articles_pb2.Article(
                assignment=assignment,
                title="An article",
                blocks=[articles_pb2.Block(text=articles_pb2.TextBlock(text="It is good."))],
            ),
            request_id=new_request_id(),
        )
    )
    return article.name


async def submit(creator: Caller, name: str, article: str) -> None:
    """Submits a version of the work."""
    await creator.assignments.SubmitWork(
        assignments_pb2.SubmitWorkRequest(
            name=name,
            submission=assignments_pb2.Submission(articles=[article]),
            request_id=new_request_id(),
        )
    )


def _draft() -> tasks_pb2.Task:
    now = datetime.now(UTC)
    return tasks_pb2.Task(
        title="An article",
        content_types=[tasks_pb2.CONTENT_TYPE_ARTICLE],
        requirements=[tasks_pb2.Requirement(text="Write")],
        reward=tasks_pb2.Reward(money=_REWARD.to_message()),
        creator_slots=1,
        application_deadline_time=to_timestamp(now + timedelta(hours=1)),
        submission_deadline_time=to_timestamp(now + timedelta(hours=2)),
        policy="policies/accelerated",
    )


async def _admit(actors: Actors, operator: Caller, name: str) -> Caller:
    creator = actors.creator(name)
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
    return creator
