"""The demo from the selection on: what becomes of the three assignments."""

import asyncio
from typing import Any

import httpx
from liaison.creators.v1 import creators_pb2
from liaison.disputes.v1 import disputes_pb2
from liaison.media.v1 import articles_pb2, media_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import assignments_pb2, tasks_pb2

from cli.demo import articles, pictures
from cli.demo.actors import call_until_answered, new_request_id, until
from cli.demo.applicants import REWARD
from cli.demo.preparation import prepare
from cli.demo.story import Story

State = assignments_pb2.Assignment.State


async def play(story: Story) -> None:
    """The whole demo, from the deposit until the task is closed."""
    await prepare(story)
    story.timeline.section("The work")
    await asyncio.gather(_play_anna(story), _play_ben(story), _play_cleo(story))
    story.timeline.section("The end")
    await _until_closed(story)


async def _play_anna(story: Story) -> None:
    """Delivers twice, because the brand asks for changes, and is paid."""
    client = story.clients["anna"]
    article, image = await _write_first_article(story)
    await _submit(story, "anna", article)
    await _request_changes(story, image)
    label = await client.upload(pictures.jpeg("label", 2400, 1600), "image")
    article = await client.rewrite(articles.with_label(article, label))
    await _submit(story, "anna", article)
    await call_until_answered(
        story.acme.assignments.ApproveWork,
        assignments_pb2.ApproveWorkRequest(
            name=story.assignment("anna"), request_id=new_request_id()
        ),
    )
    story.timeline.add("brand", "acme", "approves anna's work")
    story.publications["anna"] = await client.until_published(article)
    story.published = await _read_publication(story, "anna")
    await _until_state(story, "anna", State.STATE_COMPLETED)
    story.timeline.add("platform", "", f"pays anna {REWARD} through PayPal")


async def _write_first_article(story: Story) -> tuple[articles_pb2.Article, str]:
    """Anna's article, corrected after its validation, and the name of an image in it."""
    client = story.clients["anna"]
    banner = await client.upload(pictures.jpeg("banner", 1500, 720), "banner")
    outdoors = await client.upload(pictures.png("outdoors", 1200, 800), "image")
    story.tiny_image = await client.upload(pictures.png("tiny", 600, 300), "image")
    draft = await client.write(articles.hasty_draft(story.assignment("anna"), banner, outdoors))
    validation = await client.validate(draft)
    story.first_findings = {one.rule_id for one in [*validation.violations, *validation.advice]}
    await client.look_up(articles.PRODUCT)
    article = await client.rewrite(articles.corrected(draft))
    await client.validate(article)
    return article, outdoors


async def _request_changes(story: Story, image: str) -> None:
    """The brand opens a submitted image and asks anna for changes."""
    download = await call_until_answered(
        story.acme.media.CreateDownload, media_pb2.CreateDownloadRequest(name=image)
    )
    async with httpx.AsyncClient() as http:
        response = await http.get(download.url)
        response.raise_for_status()
    size = len(response.content) // 1024
    story.timeline.add("brand", "acme", f"opens an image of the submission, {size} KiB")
    await call_until_answered(
        story.acme.assignments.RequestChanges,
        assignments_pb2.RequestChangesRequest(
            name=story.assignment("anna"),
            comment="The label cannot be read",
            requirement_ids=["req-2"],
            request_id=new_request_id(),
        ),
    )
    story.timeline.add("brand", "acme", "asks anna for changes: req-2, the label cannot be read")


async def _play_ben(story: Story) -> None:
    """Is approved by the silence of the brand, and paid after a dispute, because PayPal failed."""
    ben, name = story.creators["ben"], story.assignment("ben")
    client = story.clients["ben"]
    image = await client.upload(pictures.jpeg("trail", 1600, 900), "image")
    article = await client.write(articles.short_article(name, image))
    await _submit(story, "ben", article)
    story.timeline.add("brand", "acme", "does not answer ben's submission")
    await _until_state(story, "ben", State.STATE_APPROVED)
    story.timeline.add("platform", "", "approves ben's work in acme's name: 5 days have passed")
    story.publications["ben"] = await client.until_published(article)
    await until(
        lambda: call_until_answered(
            ben.payouts.GetPayout, payouts_pb2.GetPayoutRequest(name=story.payout("ben"))
        ),
        lambda payout: payout.state == payouts_pb2.Payout.STATE_FAILED,
    )
    story.timeline.add(
        "platform", "", "cannot pay ben: PayPal accepts the payout and then fails it"
    )
    await until(
        lambda: call_until_answered(
            ben.assignments.GetAssignment, assignments_pb2.GetAssignmentRequest(name=name)
        ),
        lambda assignment: assignment.reward_is_overdue,
    )
    story.timeline.add("platform", "", "marks ben's reward overdue: 5 days after the approval")
    await _resolve_dispute(story)
    await _until_state(story, "ben", State.STATE_COMPLETED)
    story.timeline.add("platform", "", f"pays ben {REWARD} at the second attempt")


async def _resolve_dispute(story: Story) -> None:
    """Ben disputes the late reward and corrects the account; the mediator has him paid."""
    ben = story.creators["ben"]
    await _open_dispute(story)
    await call_until_answered(
        story.mia.disputes.ClaimDispute,
        disputes_pb2.ClaimDisputeRequest(name=story.dispute, request_id=new_request_id()),
    )
    story.timeline.add("mediator", "mia", "claims the dispute")
    await call_until_answered(
        ben.creators.UpdatePayoutAccount,
        creators_pb2.UpdatePayoutAccountRequest(
            name=f"creators/{story.actors.id_of('ben')}",
            paypal_receiver="ben@example.com",
            request_id=new_request_id(),
        ),
    )
    story.timeline.add("creator", "ben", "corrects the PayPal account")
    await call_until_answered(
        story.mia.disputes.DecideDispute,
        disputes_pb2.DecideDisputeRequest(
            name=story.dispute,
            decision=disputes_pb2.Decision(
                outcome=disputes_pb2.Decision.OUTCOME_PAY_IN_FULL,
                reasoning="The work was approved; the account is corrected.",
            ),
            request_id=new_request_id(),
        ),
    )
    story.timeline.add("mediator", "mia", "decides: pay in full")


async def _open_dispute(story: Story) -> None:
    dispute = await call_until_answered(
        story.creators["ben"].disputes.OpenDispute,
        disputes_pb2.OpenDisputeRequest(
            dispute=disputes_pb2.Dispute(
                assignment=story.assignment("ben"),
                ground=disputes_pb2.GROUND_LATE_REWARD,
                statement="My reward is late.",
            ),
            request_id=new_request_id(),
        ),
    )
    story.dispute = dispute.name
    story.timeline.add("creator", "ben", f"opens {dispute.name}: the reward is late")


async def _play_cleo(story: Story) -> None:
    """Delivers nothing: the assignment expires."""
    cleo, name = story.creators["cleo"], story.assignment("cleo")
    await _until_state(story, "cleo", State.STATE_EXPIRED)
    story.timeline.add("platform", "", "expires cleo's assignment: the deadline has passed")
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
    story.timeline.add("creator", "cleo", "says why: no time")


async def _until_closed(story: Story) -> None:
    task = await until(
        lambda: call_until_answered(
            story.acme.tasks.GetTask, tasks_pb2.GetTaskRequest(name=story.task)
        ),
        lambda task: task.state == tasks_pb2.Task.STATE_CLOSED,
    )
    story.timeline.add("platform", "", f"closes {task.name}: every assignment has ended")


async def _submit(story: Story, who: str, article: articles_pb2.Article) -> None:
    assignment = await call_until_answered(
        story.creators[who].assignments.SubmitWork,
        assignments_pb2.SubmitWorkRequest(
            name=story.assignment(who),
            submission=assignments_pb2.Submission(articles=[article.name]),
            request_id=new_request_id(),
        ),
    )
    submission = assignment.submissions[-1]
    story.timeline.add(
        "creator",
        who,
        f"submits version {submission.version}: {submission.article_revisions[0]}",
    )


async def _read_publication(story: Story, who: str) -> dict[str, Any]:
    """The published document, as any reader gets it: without a token."""
    async with httpx.AsyncClient() as http:
        response = await http.get(story.publications[who].url)
        response.raise_for_status()
    document: dict[str, Any] = response.json()
    size = len(response.content)
    story.timeline.add("platform", "", f"serves {who}'s article to readers: {size} bytes of JSON")
    return document


async def _until_state(story: Story, who: str, state: State.ValueType) -> None:
    await until(
        lambda: call_until_answered(
            story.creators[who].assignments.GetAssignment,
            assignments_pb2.GetAssignmentRequest(name=story.assignment(who)),
        ),
        lambda assignment: assignment.state == state,
    )
