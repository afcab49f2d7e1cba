"""Facets of tasks agree with the eligibility rules."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.creator_levels import LEVELS
from servicekit.errors import LiaisonError
from servicekit.money import Money
from services.tasks.domain import (
    AccountClass,
    Candidate,
    CompletionRule,
    Content,
    ContentType,
    LiveStreamChannel,
    Product,
    check_eligible,
)
from services.tasks.listing.domain import Facet, RewardKind, asks_for, facets_of, gives, takes
from workflows.assignment.model import Funding, Requirement

CONTENT = Content(
    title="A review",
    description="",
    content_types=(ContentType.VIDEO,),
    completion_rule=CompletionRule.ALL,
    requirements=(Requirement("req-1", "Show it"),),
    reward=Money("USD", 100),
    funding=Funding.ESCROW,
    creator_slots=1,
    account_classes=(),
    minimum_level="NEWCOMER",
    live_stream_channel=LiveStreamChannel.CREATOR_ACCOUNT,
    application_deadline_time=datetime(2026, 3, 1, tzinfo=UTC),
    selection_deadline_time=datetime(2026, 3, 4, tzinfo=UTC),
    submission_deadline_time=datetime(2026, 4, 1, tzinfo=UTC),
    policy_name="standard",
)

contents = st.builds(
    replace,
    st.just(CONTENT),
    content_types=st.lists(st.sampled_from(ContentType), min_size=1, unique=True).map(tuple),
    reward=st.sampled_from([Money("USD", 100), Product("A lamp")]),
    account_classes=st.lists(st.sampled_from(AccountClass), unique=True).map(tuple),
    minimum_level=st.sampled_from(LEVELS),
    live_stream_channel=st.sampled_from(LiveStreamChannel),
)
candidates = st.builds(
    Candidate,
    creator_id=st.just("bea"),
    is_admitted=st.booleans(),
    account_class=st.sampled_from([str(one) for one in AccountClass]),
    level=st.sampled_from(LEVELS),
    has_live_stream_access=st.booleans(),
    has_payout_account=st.booleans(),
    unmet_rule_ids=st.sampled_from([(), ("R3",), ("R8", "R9")]),
)


@given(contents, candidates)
def test_a_creator_finds_exactly_what_it_is_eligible_for(
    content: Content, candidate: Candidate
) -> None:
    needed = takes(candidate)
    is_found = needed is not None and set(needed) <= set(facets_of(content))
    try:
        check_eligible(content, candidate)
    except LiaisonError:
        assert not is_found
    else:
        assert is_found


@given(contents)
def test_facets_tell_content_types_and_rewards(content: Content) -> None:
    facets = facets_of(content)
    assert len(set(facets)) == len(facets)
    for content_type in ContentType:
        asked = set(asks_for([content_type])) <= set(facets)
        assert asked == (content_type in content.content_types)
    given_kinds = [kind for kind in RewardKind if gives(kind) in facets]
    is_product = isinstance(content.reward, Product)
    assert given_kinds == [RewardKind.PRODUCT if is_product else RewardKind.MONEY]


def test_a_creator_who_is_not_admitted_may_take_no_task() -> None:
    unknown = Candidate("bea", False, "UNSPECIFIED", "UNSPECIFIED", False, False)
    assert takes(unknown) is None


@pytest.mark.parametrize(
    ("facet", "number"), [("ASKS_FOR_VIDEO", 1), ("TAKES_STAR", 26), ("GIVES_PRODUCT", 42)]
)
def test_stored_facet_numbers_never_change(facet: str, number: int) -> None:
    assert Facet[facet] == number
    assert max(Facet) < 2**15  # a smallint
