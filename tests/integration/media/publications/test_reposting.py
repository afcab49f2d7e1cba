"""Reposting to social networks: who may, from where, to which (R94–R96)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from aiohttp import web
from liaison.media.v1 import articles_pb2, media_pb2
from liaison.media.v1 import publications_pb2 as pb

from servicekit.errors import LiaisonError, Reason, Unavailable
from services.media.publications.delivery import Post
from services.media.publications.domain import Channel
from services.media.publications.social.client import SocialGatewayClient
from tests.integration.media.publications.harness import Harness
from tests.support.serving import refused, request_id

DESKTOP, APP = media_pb2.CLIENT_DESKTOP, media_pb2.CLIENT_APP
VK, PINTEREST = pb.CHANNEL_VK, pb.CHANNEL_PINTEREST


def reposting(
    publication: pb.Publication,
    networks: Sequence[Any] = (VK, PINTEREST),
    client: media_pb2.Client.ValueType = DESKTOP,
) -> pb.RepostArticleRequest:
    return pb.RepostArticleRequest(
        name=publication.name, networks=networks, client=client, request_id=request_id()
    )


@pytest.mark.rule("R95")
async def test_an_article_is_posted_to_the_networks_that_its_creator_chose(
    publications: Harness,
) -> None:
    image = await publications.media_object(media_pb2.PURPOSE_IMAGE)
    block = articles_pb2.Block(image=articles_pb2.ImageBlock(media_object=image))
    published = await publications.published(blocks=[block])
    request = reposting(published)
    answer = await publications.creator().RepostArticle(request)
    assert [one.channel for one in answer.publications] == [VK, PINTEREST]
    assert {one.state for one in answer.publications} == {pb.Publication.STATE_PENDING}
    assert await publications.creator().RepostArticle(request) == answer
    posts = [await publications.delivered(one) for one in answer.publications]
    assert [one.url for one in posts] == [
        f"https://{network}.example/posts/{one.name.removeprefix('publications/')}"
        for network, one in zip(("vk", "pinterest"), posts, strict=True)
    ]
    document = (await publications.web.get(published.url)).json()
    kept = {one["network"]: one for one in await publications.reposts()}
    assert kept.keys() == {"VK", "PINTEREST"}
    assert kept["VK"] == {
        "id": posts[0].name.removeprefix("publications/"),
        "network": "VK",
        "url": published.url,
        "title": "A lamp",
        "text": "It shines.",
        "image_url": document["teaser"]["picture"]["feed"]["url"],
    }
    # A network that has it already is left as it is.
    again = await publications.creator().RepostArticle(reposting(published, [VK, pb.CHANNEL_X]))
    assert again.publications[0] == posts[0]
    assert len(publications.workflows.started) == 1 + 3


@pytest.mark.rule("R95")
@pytest.mark.parametrize(
    ("networks", "fields"),
    [
        ([pb.CHANNEL_FEED], ["networks[0]"]),
        ([], ["networks"]),
        ([VK, VK], ["networks"]),
        ([pb.CHANNEL_UNSPECIFIED], ["networks[0]"]),
        ([VK, 77], ["networks[1]"]),
    ],
)
async def test_networks_are_named_once_each_and_the_feed_is_none(
    publications: Harness, networks: Any, fields: list[str]
) -> None:
    published = await publications.published()
    with refused(Reason.INVALID_FIELDS, *fields):
        await publications.creator().RepostArticle(reposting(published, networks))


@pytest.mark.rule("R96")
async def test_reposting_is_for_the_desktop_site(publications: Harness) -> None:
    published = await publications.published()
    with refused(Reason.REPOSTING_NOT_AVAILABLE) as caught:
        await publications.creator().RepostArticle(reposting(published, client=APP))
    assert caught.value.metadata["rule_id"] == "R96"


@pytest.mark.rule("R94")
async def test_reposting_is_for_the_levels_that_it_is_open_to(publications: Harness) -> None:
    published = await publications.published("bea")
    for level in ("JUNIOR", ""):
        publications.levels.levels["bea"] = level
        with refused(Reason.REPOSTING_NOT_AVAILABLE) as caught:
            await publications.creator("bea").RepostArticle(reposting(published))
        assert caught.value.metadata["rule_id"] == "R94"
    publications.levels.levels["bea"] = "EXPERT"
    assert (await publications.creator("bea").RepostArticle(reposting(published))).publications


async def test_what_readers_do_not_see_is_not_reposted(publications: Harness) -> None:
    pending = await publications.posted()
    with refused(Reason.ILLEGAL_STATE):
        await publications.creator().RepostArticle(reposting(pending))
    published = await publications.delivered(pending)
    for name in (published.name, "publications/none"):
        with refused(Reason.NOT_YOURS):
            await publications.creator("eve").RepostArticle(reposting(pb.Publication(name=name)))
    answer = await publications.creator().RepostArticle(reposting(published, [VK]))
    with refused(Reason.ILLEGAL_STATE):
        await publications.creator().RepostArticle(reposting(answer.publications[0], [PINTEREST]))


async def test_a_withdrawal_stops_pending_posts_and_leaves_published_ones(
    publications: Harness,
) -> None:
    published = await publications.published()
    answer = await publications.creator().RepostArticle(reposting(published))
    arrived, pending = await publications.delivered(answer.publications[0]), answer.publications[1]
    with refused(Reason.ILLEGAL_STATE) as caught:
        await publications.withdraw(arrived)
    assert "from where posts cannot be withdrawn" in caught.value.message
    # Nor where it arrives at that very moment.
    id_ = arrived.name.removeprefix("publications/")
    assert await publications.store.withdraw(id_, "Late", "olga:1", publications.now()) == []
    await publications.withdraw(published)
    stopped = await publications.delivered(pending)
    assert (stopped.state, stopped.withdraw_reason) == (
        pb.Publication.STATE_WITHDRAWN,
        "A complaint",
    )
    assert await publications.get(arrived.name) == arrived
    ends = [id_ for id_, state in publications.workflows.started if state == "WITHDRAWN"]
    assert sorted(ends) == sorted(
        one.name.removeprefix("publications/") for one in (published, pending)
    )


async def test_what_a_network_took_at_that_very_moment_is_told_as_it_is(
    publications: Harness,
) -> None:
    published = await publications.published()
    answer = await publications.creator().RepostArticle(reposting(published, [VK]))
    (pending,) = answer.publications

    async def withdraw() -> None:
        await publications.withdraw(pending)

    publications.gateway.before_returning = withdraw
    end = await publications.delivered(pending)
    assert end.state == pb.Publication.STATE_WITHDRAWN
    assert [one["network"] for one in await publications.reposts()] == ["VK"]
    assert end.url == f"https://vk.example/posts/{pending.name.removeprefix('publications/')}"
    assert end.HasField("publish_time")
    assert await publications.delivered(pending) == end


async def test_reposts_and_a_withdrawal_at_once_leave_no_post_of_what_is_gone(
    publications: Harness,
) -> None:
    published = await publications.published()
    networks = [VK, PINTEREST, pb.CHANNEL_X, pb.CHANNEL_FACEBOOK, pb.CHANNEL_INSTAGRAM]
    ends = await asyncio.gather(
        *(
            publications.creator().RepostArticle(reposting(published, [one]))
            for one in networks[:3]
        ),
        publications.withdraw(published),
        *(
            publications.creator().RepostArticle(reposting(published, [one]))
            for one in networks[3:]
        ),
        return_exceptions=True,
    )
    refusals = {getattr(end, "reason", end) for end in ends if isinstance(end, BaseException)}
    assert refusals <= {Reason.ILLEGAL_STATE}
    pending = await publications.operator.ListPublications(
        pb.ListPublicationsRequest(state=pb.Publication.STATE_PENDING)
    )
    assert list(pending.publications) == []


async def test_a_post_on_its_way_can_be_stopped_alone(publications: Harness) -> None:
    published = await publications.published()
    answer = await publications.creator().RepostArticle(reposting(published, [VK]))
    withdrawn = await publications.withdraw(answer.publications[0])
    assert withdrawn.state == pb.Publication.STATE_WITHDRAWN
    assert await publications.status(published.url) == 200
    assert await publications.reposts() == []


POST = Post(Channel.VK, "https://media.example/1.json", "T", "S", "")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, '{"url": "https://vk.example/1"}'),
        (409, "used for another repost"),
        (302, ""),
        (200, "no JSON"),
        (200, "[]"),
        (200, '{"url": 7}'),
        (200, '{"url": ""}'),
    ],
)
async def test_an_invalid_response_of_the_gateway_is_unavailable(status: int, body: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers={"location": "http://127.0.0.1:1/"})

    app = web.Application()
    app.router.add_post("/reposts/{id}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with httpx.AsyncClient(trust_env=False) as http:
            with pytest.raises(Unavailable) as caught:
                await SocialGatewayClient(http, origin, "t").post("a1-vk", POST)
    finally:
        await runner.cleanup()
    assert body not in caught.value.message or not body


async def test_an_unreachable_gateway_is_unavailable(publications: Harness) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(LiaisonError) as caught:
            await SocialGatewayClient(http, "http://127.0.0.1:1", "t").post("a1-vk", POST)
    assert caught.value.reason is Reason.DEPENDENCY_UNAVAILABLE


async def test_many_reposts_at_once_are_one_a_network(publications: Harness) -> None:
    published = await publications.published()
    answers = await asyncio.gather(
        *(publications.creator().RepostArticle(reposting(published)) for _ in range(6))
    )
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1
    await asyncio.gather(
        *(publications.delivered(one) for answer in answers for one in answer.publications)
    )
    assert len(await publications.reposts()) == 2
