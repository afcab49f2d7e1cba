"""The creators service on a real Postgres, with clients of each role and a clock that tests set."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2 as pb
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub

from devstack.access import Access
from servicekit.errors import LiaisonError, Reason
from servicekit.postgres.database import Database
from servicekit.timestamps import to_timestamp
from services.creators.handlers import CreatorHandlers
from services.creators.servicer import service
from services.creators.store import CreatorStore
from tests.support.serving import Served, refused, request_id, serving

INTERNAL, EXTERNAL = pb.ACCOUNT_CLASS_INTERNAL, pb.ACCOUNT_CLASS_EXTERNAL
# The lowest counts that meet the numeric criteria: posts and followers.
ENOUGH = {INTERNAL: (21, 10_001), EXTERNAL: (51, 5_001)}
TABLES = ("creator", "creator_decision", "observation", "request")


@dataclass
class Harness:
    """`anna` is the creator; `olga` and `otto` are operators, `acme` is a brand."""

    served: Served
    database: Database
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def creator(self, name: str = "anna") -> Any:
        return CreatorServiceStub(self.served.as_creator(name))

    def operator(self, name: str = "olga") -> Any:
        return CreatorServiceStub(self.served.as_operator(name))

    @property
    def brand(self) -> Any:
        return CreatorServiceStub(self.served.as_brand("acme"))

    @property
    def platform(self) -> Any:
        return CreatorServiceStub(self.served.as_platform())

    @property
    def service(self) -> Any:
        return CreatorServiceStub(self.served.as_service())

    async def registered(self, name: str = "anna") -> pb.Creator:
        creator: pb.Creator = await self.creator(name).CreateCreator(registration(name))
        return creator

    async def applied(self, name: str = "anna", **changes: Any) -> pb.Creator:
        await self.registered(name)
        creator: pb.Creator = await self.creator(name).ApplyForAdmission(
            application(name, **changes)
        )
        return creator

    async def refused(self, name: str = "anna", by: str = "olga", **changes: Any) -> pb.Creator:
        """A creator refused by staff."""
        await self.applied(name, **changes)
        creator: pb.Creator = await self.operator(by).ReviewAdmission(refusal(name))
        return creator

    async def appealed(self, name: str = "anna", by: str = "olga") -> pb.Creator:
        await self.refused(name, by)
        creator: pb.Creator = await self.creator(name).AppealAdmission(appeal(name))
        return creator

    async def admitted(self, name: str = "anna", **changes: Any) -> pb.Creator:
        await self.applied(name, **changes)
        creator: pb.Creator = await self.operator().ReviewAdmission(approval(name))
        return creator

    async def get(self, name: str = "anna") -> pb.Creator:
        creator: pb.Creator = await self.creator(name).GetCreator(
            pb.GetCreatorRequest(name=f"creators/{name}")
        )
        return creator

    async def decisions(self, name: str = "anna") -> list[pb.CreatorDecision]:
        request = pb.ListCreatorDecisionsRequest(parent=f"creators/{name}")
        response = await self.operator().ListCreatorDecisions(request)
        assert response == await self.creator(name).ListCreatorDecisions(request)
        return list(response.decisions)

    async def rows(self) -> dict[str, list[Any]]:
        """Every row of every table, by table."""
        found: dict[str, list[Any]] = {}
        for table in TABLES:
            rows = await self.database.fetch_all(
                f"SELECT to_jsonb(one) AS row FROM {table} AS one ORDER BY one::text"  # noqa: S608 - names of our own
            )
            found[table] = [row["row"] for row in rows]
        return found

    @asynccontextmanager
    async def refuses(
        self, reason: Reason, *fields: str
    ) -> AsyncIterator[pytest.ExceptionInfo[LiaisonError]]:
        """Asserts that the call inside is refused and changes no row."""
        before = await self.rows()
        with refused(reason, *fields) as caught:
            yield caught
        assert await self.rows() == before


@asynccontextmanager
async def harness_of(access: Access, database: Database) -> AsyncIterator[Harness]:
    handlers = CreatorHandlers(CreatorStore(database), lambda: harness.now)
    async with serving(access, [service(handlers)], database) as served:
        harness = Harness(served, database)
        yield harness


def registration(name: str = "anna", **changes: Any) -> pb.CreateCreatorRequest:
    values = {
        "name": f"creators/{name}",
        "display_name": name.title(),
        "mobile_number": "+34612345678",
    }
    return pb.CreateCreatorRequest(creator=pb.Creator(**values | changes), request_id=request_id())


def application(
    name: str = "anna", account_class: int = INTERNAL, **changes: Any
) -> pb.ApplyForAdmissionRequest:
    posts, followers = ENOUGH[account_class]
    values: dict[str, Any] = {
        "account_class": account_class,
        "handle": f"@{name}",
        "post_count": posts,
        "follower_count": followers,
    }
    return pb.ApplyForAdmissionRequest(
        name=f"creators/{name}",
        account=pb.SocialAccount(**values | changes),
        paypal_receiver=f"{name}@example.com",
        request_id=request_id(),
    )


def approval(name: str = "anna", **values: Any) -> pb.ReviewAdmissionRequest:
    return pb.ReviewAdmissionRequest(
        name=f"creators/{name}",
        decision=pb.ReviewAdmissionRequest.DECISION_APPROVE,
        request_id=request_id(),
        **values,
    )


def refusal(name: str = "anna", *refusals: pb.Refusal) -> pb.ReviewAdmissionRequest:
    return pb.ReviewAdmissionRequest(
        name=f"creators/{name}",
        decision=pb.ReviewAdmissionRequest.DECISION_REFUSE,
        refusals=refusals or [pb.Refusal(code=pb.REFUSAL_CODE_OTHER, description="Not quite")],
        request_id=request_id(),
    )


def appeal(name: str = "anna", statement: str = "Look again") -> pb.AppealAdmissionRequest:
    return pb.AppealAdmissionRequest(
        name=f"creators/{name}", statement=statement, request_id=request_id()
    )


def counts(
    post_count: int, follower_count: int, observe_time: datetime, name: str = "anna"
) -> pb.UpdateStatisticsRequest:
    return pb.UpdateStatisticsRequest(
        name=f"creators/{name}",
        post_count=post_count,
        follower_count=follower_count,
        observe_time=to_timestamp(observe_time),
        request_id=request_id(),
    )


def form(name: str = "anna", **changes: Any) -> pb.ApplyForLiveStreamAccessRequest:
    values = {"experience": "Two years", "sample_links": ["https://example.com/stream"]}
    return pb.ApplyForLiveStreamAccessRequest(
        name=f"creators/{name}", form=pb.LiveStreamForm(**values | changes), request_id=request_id()
    )


def access_review(
    decision: str, comment: str = "", name: str = "anna"
) -> pb.ReviewLiveStreamAccessRequest:
    return pb.ReviewLiveStreamAccessRequest(
        name=f"creators/{name}",
        decision=pb.ReviewLiveStreamAccessRequest.Decision.Value(f"DECISION_{decision}"),
        comment=comment,
        request_id=request_id(),
    )


def level_change(
    level: int = pb.CREATOR_LEVEL_EXPERT, comment: str = "Good work", name: str = "anna"
) -> pb.UpdateCreatorLevelRequest:
    return pb.UpdateCreatorLevelRequest(
        name=f"creators/{name}", level=level, comment=comment, request_id=request_id()
    )


async def at_once(*calls: Awaitable[Any]) -> tuple[list[Any], list[LiaisonError]]:
    """Runs calls concurrently; returns their responses and their errors."""
    ends = await asyncio.gather(*calls, return_exceptions=True)
    errors = [end for end in ends if isinstance(end, BaseException)]
    assert all(isinstance(error, LiaisonError) for error in errors), errors
    return [end for end in ends if not isinstance(end, BaseException)], errors


SECOND = timedelta(seconds=1)
