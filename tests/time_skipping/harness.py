"""The whole stack with a time-skipping Temporal server and a worker, for the tests of this folder.

Services use the wall clock for their own checks; only workflows skip time.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
from liaison.creators.v1 import creators_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import tasks_pb2

from cli.demo.actors import Actors, Caller, new_request_id
from devstack import identity
from devstack.access import Access
from servicekit.money import Money
from servicekit.timestamps import to_timestamp
from services.processes import BY_NAME
from tests.support.sandbox import Payment, change_item, payments_of
from tests.support.serving import server_settings
from tests.support.temporal_servers import Time
from tests.time_skipping.assignment_driver import AssignmentDriver
from tests.time_skipping.task_driver import TaskDriver
from tests.time_skipping.timing import DAY
from workflows import worker as workers

MONEY = tasks_pb2.Reward(money=Money("USD", 100_00).to_message())
PRODUCT = tasks_pb2.Reward(product=tasks_pb2.ProductReward(title="A backpack"))


@dataclass(frozen=True)
class Creator:
    """An admitted creator."""

    name: str
    caller: Caller
    paypal_receiver: str


@dataclass
class Harness:
    access: Access
    time: Time
    actors: Actors
    exits: AsyncExitStack
    # Every workflow started here, for recording histories.
    workflow_ids: list[str] = field(default_factory=list)
    _names: "itertools.count[int]" = field(default_factory=itertools.count)
    _worker: AsyncExitStack = field(default_factory=AsyncExitStack)

    # Time

    async def now(self) -> datetime:
        return await self.time.now("")

    async def pass_time(self, span: timedelta) -> None:
        """Advances every workflow, on a server where they share a clock."""
        await self.time.skip("", span)

    async def pass_until(self, moment: datetime) -> None:
        await self.pass_time(moment - await self.now())

    # The worker

    async def start_worker(self) -> None:
        settings = workers.WorkerSettings.model_validate(
            {
                **server_settings(self.access).model_dump(exclude={"otel_service_name"}),
                **{
                    f"{name}_address": self.access.addresses[name]
                    for name in BY_NAME["worker"].peers
                },
                "service_token_file": identity.service_token_file(self.access.home, "worker"),
                "TEMPORAL_ADDRESS": self.access.addresses["temporal"],
                "worker_drain_seconds": 2,
            }
        )
        running = workers.running(
            *await workers.workers(settings, self._worker), patience_seconds=5
        )
        await self._worker.enter_async_context(running)

    async def stop_worker(self) -> None:
        await self._worker.aclose()

    # Callers

    def staff(self, role: identity.Role, name: str) -> Caller:
        return self.actors.staff(role, name)

    def service(self) -> Caller:
        """The caller of a service."""
        return Caller(self.access, self.access.token("service"), self.exits)

    async def brand(self, *, funds_minor: int = 1_000_00) -> Caller:
        """A brand with funds."""
        name = f"brand{next(self._names)}"
        brand = self.actors.brand(name)
        if funds_minor:
            await self.deposit(brand, f"brands/{self.actors.id_of(name)}", funds_minor)
        return brand

    async def deposit(self, brand: Caller, name: str, minor: int) -> None:
        deposit = await brand.payouts.CreateDeposit(
            payouts_pb2.CreateDepositRequest(
                parent=name,
                deposit=payouts_pb2.Deposit(amount=Money("USD", minor).to_message()),
                request_id=new_request_id(),
            )
        )
        await self.staff("operator", "olga").payouts.ConfirmDeposit(
            payouts_pb2.ConfirmDepositRequest(
                name=deposit.name, external_reference=new_request_id(), request_id=new_request_id()
            )
        )

    async def creator(self) -> Creator:
        short = f"creator{next(self._names)}"
        caller, id_ = self.actors.creator(short), self.actors.id_of(short)
        name, receiver = f"creators/{id_}", f"{id_}@example.com"
        await caller.creators.CreateCreator(
            creators_pb2.CreateCreatorRequest(
                creator=creators_pb2.Creator(
                    name=name, display_name=short, mobile_number="+34612345678"
                ),
                request_id=new_request_id(),
            )
        )
        await caller.creators.ApplyForAdmission(
            creators_pb2.ApplyForAdmissionRequest(
                name=name,
                account=creators_pb2.SocialAccount(
                    account_class=creators_pb2.ACCOUNT_CLASS_EXTERNAL,
                    handle=f"@{short}",
                    post_count=100,
                    follower_count=10_000,
                ),
                paypal_receiver=receiver,
                request_id=new_request_id(),
            )
        )
        await self.staff("operator", "olga").creators.ReviewAdmission(
            creators_pb2.ReviewAdmissionRequest(
                name=name,
                decision=creators_pb2.ReviewAdmissionRequest.DECISION_APPROVE,
                request_id=new_request_id(),
            )
        )
        return Creator(name, caller, receiver)

    async def paypal_will(self, creator: Creator, behaviour: str) -> None:
        """What the sandbox does to this creator's payouts from now on, such as FAILED_LATE."""
        wanted = {
            "behaviour": behaviour,
            "delay_seconds": None if behaviour == "UNCLAIMED" else 0.1,
        }
        url = f"http://{self.access.addresses['paypal']}/admin/behaviours/{creator.paypal_receiver}"
        async with httpx.AsyncClient() as http:
            answer = await http.put(url, json=wanted)
        answer.raise_for_status()

    def paypal_payments(self, assignment: AssignmentDriver) -> list[Payment]:
        """PayPal's payments for the assignment, oldest first."""
        payments = payments_of(self.access.home.data("paypal"))
        return [one for one in payments if assignment.id in one.sender_batch_id]

    async def paypal_ends(self, assignment: AssignmentDriver, status: str) -> None:
        """Ends the latest attempt's payment, which PayPal held or blocked, with this status."""
        item_id = self.paypal_payments(assignment)[-1].item_id
        await change_item(f"http://{self.access.addresses['paypal']}", item_id, status)

    # Tasks and assignments

    async def task(
        self,
        *,
        reward: tasks_pb2.Reward = MONEY,
        funding: tasks_pb2.Funding.ValueType = tasks_pb2.FUNDING_UNSPECIFIED,
        submission: timedelta = 10 * DAY,
        slots: int = 1,
        funds_minor: int = 1_000_00,
    ) -> TaskDriver:
        """Publishes a task whose applications close in a day."""
        brand, now = await self.brand(funds_minor=funds_minor), await self.now()
        task = await brand.tasks.CreateTask(
            tasks_pb2.CreateTaskRequest(
                task=tasks_pb2.Task(
                    title="An article",
                    content_types=[tasks_pb2.CONTENT_TYPE_ARTICLE],
                    requirements=[tasks_pb2.Requirement(text="Show it in use")],
                    reward=reward,
                    funding=funding,
                    creator_slots=slots,
                    application_deadline_time=to_timestamp(now + DAY),
                    submission_deadline_time=to_timestamp(now + submission),
                ),
                request_id=new_request_id(),
            )
        )
        assignment = TaskDriver(self, task.name, brand)
        self.workflow_ids.append(assignment.workflow_id)
        await brand.tasks.PublishTask(
            tasks_pb2.PublishTaskRequest(name=task.name, request_id=new_request_id())
        )
        return assignment

    async def selected_creator(
        self,
        *,
        reward: tasks_pb2.Reward = MONEY,
        funding: tasks_pb2.Funding.ValueType = tasks_pb2.FUNDING_UNSPECIFIED,
        submission: timedelta = 10 * DAY,
        funds_minor: int = 1_000_00,
        paypal: str = "",
    ) -> AssignmentDriver:
        """Returns a new assignment; `paypal` sets the sandbox's behaviour for its creator."""
        task = await self.task(
            reward=reward, funding=funding, submission=submission, funds_minor=funds_minor
        )
        creator = await self.creator()
        if paypal:
            await self.paypal_will(creator, paypal)
        (assignment,) = await task.select(await task.apply(creator))
        return assignment


@asynccontextmanager
async def running_harness(access: Access, time: Time) -> AsyncIterator[Harness]:
    async with AsyncExitStack() as exits:
        harness = Harness(access, time, Actors(uuid4().hex[:8], access, exits), exits)
        await harness.start_worker()
        try:
            yield harness
        finally:
            await harness.stop_worker()
