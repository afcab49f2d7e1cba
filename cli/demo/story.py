"""What happens in the demo, in order. `outcomes` verifies it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from liaison.creators.v1 import creators_pb2
from liaison.disputes.v1 import disputes_pb2
from liaison.media.v1 import articles_pb2, media_pb2, publications_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import assignments_pb2, tasks_pb2

from cli.demo import articles, pictures
from cli.demo.actors import Actors, Caller, call_until_answered, new_request_id, until
from cli.demo.applicants import APPLICANTS, DEPOSIT, INTERNAL, REWARD, SELECTED, Applicant
from cli.demo.creator_client import CreatorClient
from cli.demo.timeline import Timeline
from servicekit.errors import FailedPrecondition
from servicekit.timestamps import to_timestamp

State = assignments_pb2.Assignment.State


class Story:
    def __init__(self, actors: Actors, timeline: Timeline) -> None:
        self.actors = actors
        self._timeline = timeline
        self.acme = actors.brand("acme")
        self.olga = actors.staff("operator", "olga")
        self.mia = actors.staff("mediator", "mia")
        self.creators = {one.name: actors.creator(one.name) for one in APPLICANTS}
        self.task = ""
        self.applications: dict[str, str] = {}
        self.dispute = ""
        self.tiny = ""
        self.clients = {
            name: CreatorClient(name, caller, timeline) for name, caller in self.creators.items()
        }
        # The rules that the validation of anna's first draft named.
        self.first_findings: set[str] = set()
        self.publications: dict[str, publications_pb2.Publication] = {}
        # Anna's article, as readers get it.
        self.published: dict[str, Any] = {}

    def assignment(self, name: str) -> str:
        return f"assignments/{self.applications[name].rpartition('/')[2]}"

    def payout(self, name: str) -> str:
        return self.assignment(name).replace("assignments/", "payouts/")

    async def play(self) -> None:
        await self.prepare()
        self._timeline.section("The work")
        await asyncio.gather(self._annas_story(), self._bens_story(), self._cleos_story())
        self._timeline.section("The end")
        await self._close()

    async def prepare(self) -> None:
        """Until three creators are selected."""
        self._timeline.section("Funds and creators")
        await asyncio.gather(self._deposit(), *(self._admit(one) for one in APPLICANTS))
        self._timeline.section("The task")
        await self._publish()
        await self._apply()
        await self._select()

    # Funds and creators

    async def _deposit(self) -> None:
        deposit = await call_until_answered(
            self.acme.payouts.CreateDeposit,
            payouts_pb2.CreateDepositRequest(
                parent=f"brands/{self.actors.id_of('acme')}",
                deposit=payouts_pb2.Deposit(amount=DEPOSIT.to_message()),
                request_id=new_request_id(),
            ),
        )
        self._timeline.add("brand", "acme", f"announces a deposit of {DEPOSIT}")
        await call_until_answered(
            self.olga.payouts.ConfirmDeposit,
            payouts_pb2.ConfirmDepositRequest(
                name=deposit.name,
                external_reference=f"bank-{self.actors.run_id}",
                request_id=new_request_id(),
            ),
        )
        self._timeline.add("operator", "olga", "confirms that the money has arrived")

    async def _admit(self, one: Applicant) -> None:
        name = f"creators/{self.actors.id_of(one.name)}"
        caller = self.creators[one.name].creators
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
        self._timeline.add("creator", one.name, f"applies for admission with {account}")
        if creator.refusals:
            reasons = "; ".join(f"{one.description} ({one.rule_id})" for one in creator.refusals)
            self._timeline.add("platform", "", f"refuses {one.name} at once: {reasons}")
            return
        await call_until_answered(
            self.olga.creators.ReviewAdmission,
            creators_pb2.ReviewAdmissionRequest(
                name=name,
                decision=creators_pb2.ReviewAdmissionRequest.DECISION_APPROVE,
                level=creators_pb2.CREATOR_LEVEL_JUNIOR,
                request_id=new_request_id(),
            ),
        )
        self._timeline.add("operator", "olga", f"looks at {one.name}'s content and admits")

    # The task

    async def _publish(self) -> None:
        now = datetime.now(UTC)
        draft = await call_until_answered(
            self.acme.tasks.CreateTask,
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
        self.task = draft.name
        self._timeline.add(
            "brand", "acme", f"drafts {self.task}: an article, 3 creators, {REWARD} each, a coupon"
        )
        await call_until_answered(
            self.acme.tasks.PublishTask,
            tasks_pb2.PublishTaskRequest(name=self.task, request_id=new_request_id()),
        )
        self._timeline.add(
            "brand", "acme", "publishes it: requirements, reward and clocks are frozen"
        )

    async def _apply(self) -> None:
        for name in ("anna", "ben", "cleo", "dora"):
            application = await call_until_answered(
                self.creators[name].tasks.CreateApplication,
                tasks_pb2.CreateApplicationRequest(parent=self.task, request_id=new_request_id()),
            )
            self.applications[name] = application.name
            self._timeline.add("creator", name, "applies for the task")
        try:
            await call_until_answered(
                self.creators["eddy"].tasks.CreateApplication,
                tasks_pb2.CreateApplicationRequest(parent=self.task, request_id=new_request_id()),
            )
        except FailedPrecondition as refusal:
            self._timeline.add("creator", "eddy", f"applies and is refused: {refusal.reason}")
        else:
            raise AssertionError("eddy is not admitted, and could apply")
        await call_until_answered(
            self.creators["dora"].tasks.WithdrawApplication,
            tasks_pb2.WithdrawApplicationRequest(
                name=self.applications["dora"], request_id=new_request_id()
            ),
        )
        self._timeline.add("creator", "dora", "withdraws in time")

    async def _select(self) -> None:
        await call_until_answered(
            self.acme.tasks.SelectApplications,
            tasks_pb2.SelectApplicationsRequest(
                parent=self.task,
                applications=[self.applications[name] for name in SELECTED],
                request_id=new_request_id(),
            ),
        )
        self._timeline.add(
            "brand", "acme", f"selects {', '.join(SELECTED)}; their rewards are set aside"
        )

    # The work

    async def _annas_story(self) -> None:
        anna, client = self.creators["anna"], self.clients["anna"]
        banner = await client.upload(pictures.jpeg("banner", 1500, 720), "banner")
        outdoors = await client.upload(pictures.png("outdoors", 1200, 800), "image")
        self.tiny = await client.upload(pictures.png("tiny", 600, 300), "image")
        draft = await client.write(articles.hasty_draft(self.assignment("anna"), banner, outdoors))
        hasty = await client.validate(draft)
        self.first_findings = {one.rule_id for one in [*hasty.violations, *hasty.advice]}
        await client.look_up(articles.PRODUCT)
        article = await client.rewrite(articles.corrected(draft))
        await client.validate(article)
        await self._submit("anna", article)
        await self._look_at(outdoors)
        await call_until_answered(
            self.acme.assignments.RequestChanges,
            assignments_pb2.RequestChangesRequest(
                name=self.assignment("anna"),
                comment="The label cannot be read",
                requirement_ids=["req-2"],
                request_id=new_request_id(),
            ),
        )
        self._timeline.add(
            "brand", "acme", "asks anna for changes: req-2, the label cannot be read"
        )
        label = await client.upload(pictures.jpeg("label", 2400, 1600), "image")
        article = await client.rewrite(articles.with_label(article, label))
        await self._submit("anna", article)
        await call_until_answered(
            self.acme.assignments.ApproveWork,
            assignments_pb2.ApproveWorkRequest(
                name=self.assignment("anna"), request_id=new_request_id()
            ),
        )
        self._timeline.add("brand", "acme", "approves anna's work")
        self.publications["anna"] = await client.until_published(article)
        self.published = await self._read_over_http(self.publications["anna"])
        await self._until_state(anna, "anna", State.STATE_COMPLETED)
        self._timeline.add("platform", "", f"pays anna {REWARD} through PayPal")

    async def _bens_story(self) -> None:
        ben, name = self.creators["ben"], self.assignment("ben")
        client = self.clients["ben"]
        image = await client.upload(pictures.jpeg("trail", 1600, 900), "image")
        article = await client.write(articles.short_article(name, image))
        await self._submit("ben", article)
        self._timeline.add("brand", "acme", "stays silent on ben's work")
        await self._until_state(ben, "ben", State.STATE_APPROVED)
        self._timeline.add("platform", "", "approves ben's work in acme's name: 5 days have passed")
        self.publications["ben"] = await client.until_published(article)
        await until(
            lambda: call_until_answered(
                ben.payouts.GetPayout, payouts_pb2.GetPayoutRequest(name=self.payout("ben"))
            ),
            lambda payout: payout.state == payouts_pb2.Payout.STATE_FAILED,
        )
        self._timeline.add("platform", "", "cannot pay ben: PayPal fails the payout, late")
        await until(
            lambda: call_until_answered(
                ben.assignments.GetAssignment, assignments_pb2.GetAssignmentRequest(name=name)
            ),
            lambda assignment: assignment.reward_is_overdue,
        )
        self._timeline.add("platform", "", "marks ben's reward overdue: 5 days after the approval")
        await self._dispute(ben, name)
        await self._until_state(ben, "ben", State.STATE_COMPLETED)
        self._timeline.add("platform", "", f"pays ben {REWARD} at the second attempt")

    async def _dispute(self, ben: Caller, assignment: str) -> None:
        dispute = await call_until_answered(
            ben.disputes.OpenDispute,
            disputes_pb2.OpenDisputeRequest(
                dispute=disputes_pb2.Dispute(
                    assignment=assignment,
                    ground=disputes_pb2.GROUND_LATE_REWARD,
                    statement="My reward is late.",
                ),
                request_id=new_request_id(),
            ),
        )
        self.dispute = dispute.name
        self._timeline.add("creator", "ben", f"opens {dispute.name}: the reward is late")
        await call_until_answered(
            self.mia.disputes.ClaimDispute,
            disputes_pb2.ClaimDisputeRequest(name=dispute.name, request_id=new_request_id()),
        )
        self._timeline.add("mediator", "mia", "claims the dispute")
        await call_until_answered(
            ben.creators.UpdatePayoutAccount,
            creators_pb2.UpdatePayoutAccountRequest(
                name=f"creators/{self.actors.id_of('ben')}",
                paypal_receiver="ben@example.com",
                request_id=new_request_id(),
            ),
        )
        self._timeline.add("creator", "ben", "corrects the PayPal account")
        await call_until_answered(
            self.mia.disputes.DecideDispute,
            disputes_pb2.DecideDisputeRequest(
                name=dispute.name,
                decision=disputes_pb2.Decision(
                    outcome=disputes_pb2.Decision.OUTCOME_PAY_IN_FULL,
                    reasoning="The work was approved; the account is corrected.",
                ),
                request_id=new_request_id(),
            ),
        )
        self._timeline.add("mediator", "mia", "decides: pay in full")

    async def _cleos_story(self) -> None:
        cleo, name = self.creators["cleo"], self.assignment("cleo")
        await self._until_state(cleo, "cleo", State.STATE_EXPIRED)
        self._timeline.add("platform", "", "expires cleo's assignment: the deadline has passed")
        await call_until_answered(
            cleo.assignments.CommentOnExpiry,
            assignments_pb2.CommentOnExpiryRequest(
                name=name,
                expiry_comment=assignments_pb2.ExpiryComment(
                    reason=assignments_pb2.ExpiryComment.REASON_NO_TIME,
                    comment="I was travelling longer than planned.",
                ),
                request_id=new_request_id(),
            ),
        )
        self._timeline.add("creator", "cleo", "says why: no time")

    async def _close(self) -> None:
        task = await until(
            lambda: call_until_answered(
                self.acme.tasks.GetTask, tasks_pb2.GetTaskRequest(name=self.task)
            ),
            lambda task: task.state == tasks_pb2.Task.STATE_CLOSED,
        )
        self._timeline.add("platform", "", f"closes {task.name}: the last windows are over")

    # What several acts do

    async def _look_at(self, media_object: str) -> None:
        """The brand opens an image that was submitted to it."""
        download = await call_until_answered(
            self.acme.media.CreateDownload, media_pb2.CreateDownloadRequest(name=media_object)
        )
        async with httpx.AsyncClient() as http:
            answer = await http.get(download.url)
            answer.raise_for_status()
        size = len(answer.content) // 1024
        self._timeline.add("brand", "acme", f"opens an image of the submission, {size} KiB")

    async def _submit(self, who: str, article: articles_pb2.Article) -> None:
        assignment = await call_until_answered(
            self.creators[who].assignments.SubmitWork,
            assignments_pb2.SubmitWorkRequest(
                name=self.assignment(who),
                submission=assignments_pb2.Submission(articles=[article.name]),
                request_id=new_request_id(),
            ),
        )
        submission = assignment.submissions[-1]
        self._timeline.add(
            "creator",
            who,
            f"submits version {submission.version}: {submission.article_revisions[0]}",
        )

    async def _read_over_http(self, publication: publications_pb2.Publication) -> dict[str, Any]:
        """As any reader does: without a token."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(publication.url)
            answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        self._timeline.add(
            "platform", "", f"shows it to readers: {len(answer.content)} bytes of JSON"
        )
        return document

    async def _until_state(self, caller: Caller, who: str, state: State.ValueType) -> None:
        await until(
            lambda: call_until_answered(
                caller.assignments.GetAssignment,
                assignments_pb2.GetAssignmentRequest(name=self.assignment(who)),
            ),
            lambda assignment: assignment.state == state,
        )
