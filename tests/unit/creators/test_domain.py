"""The rules of admission, and the states of live-stream access."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from servicekit.creator_levels import CreatorLevel
from servicekit.errors import FailedPrecondition, Reason
from services.creators import domain, live_streams
from services.creators.domain import (
    SYSTEM,
    Account,
    AccountClass,
    Creator,
    RefusalCode,
    Source,
    State,
    Statistics,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CREATOR = Creator("anna", "Anna", "+34612345678", "+34612345678", NOW, NOW)
INTERNAL = Account(AccountClass.INTERNAL, "@anna", 21, 10_001)
OTHER = domain.Refusal(RefusalCode.OTHER, "R43", "Not quite")


def _waiting() -> Creator:
    waiting, decision = domain.applied(CREATOR, INTERNAL, None, "a@example.com", NOW)
    assert decision is None
    return waiting


def _refused() -> Creator:
    return domain.refused(_waiting(), (OTHER,), "staff/olga", NOW)[0]


@pytest.mark.parametrize("account_class", AccountClass)
@pytest.mark.parametrize("code", RefusalCode)
def test_each_reason_is_somebodys_and_has_a_rule(
    code: RefusalCode, account_class: AccountClass
) -> None:
    rule = domain.rule_of(code, account_class)
    violation = domain.misplaced_code(code, account_class, "refusals[0].code")
    by_staff = {
        AccountClass.INTERNAL: {
            RefusalCode.CONTENT_NOT_INTERESTING: "R5",
            RefusalCode.PRODUCT_LINKS_MISSING: "R6",
            RefusalCode.PICTURES_POOR: "R7",
            RefusalCode.OTHER: "R43",
        },
        AccountClass.EXTERNAL: {
            RefusalCode.PROFILE_NOT_APPEALING: "R10",
            RefusalCode.OTHER: "R43",
        },
    }[account_class]
    assert (violation is None) == (code in by_staff)
    if violation is None:
        assert rule == by_staff[code]
    else:
        assert (violation.field, violation.rule) == ("refusals[0].code", rule)


@pytest.mark.parametrize("state", State)
def test_an_application_is_made_before_admission_and_not_while_one_waits(state: State) -> None:
    creator = replace(CREATOR, state=state)
    if state in (State.REGISTERED, State.REFUSED):
        assert domain.applied(creator, INTERNAL, None, "a@x.com", NOW)[0].account == INTERNAL
        return
    with pytest.raises(FailedPrecondition) as caught:
        domain.applied(creator, INTERNAL, None, "a@example.com", NOW)
    assert caught.value.reason is Reason.ILLEGAL_STATE


@pytest.mark.parametrize("state", State)
def test_only_what_staff_refused_is_appealed(state: State) -> None:
    refused = replace(_refused(), state=state)
    if state is State.REFUSED:
        assert domain.appealed(refused, "Look again", NOW).state is State.APPEALED
    else:
        with pytest.raises(FailedPrecondition) as caught:
            domain.appealed(refused, "Look again", NOW)
        assert caught.value.reason is Reason.APPEAL_NOT_ALLOWED
    by_numbers = replace(refused, state=State.REFUSED, refused_by=SYSTEM)
    with pytest.raises(FailedPrecondition):
        domain.appealed(by_numbers, "Look again", NOW)


def test_a_refusal_on_appeal_is_the_last_word() -> None:
    appealed = domain.appealed(_refused(), "Look again", NOW)
    refused, decision = domain.refused(appealed, (OTHER,), "staff/otto", NOW)
    assert decision.appeal == appealed.appeal
    with pytest.raises(FailedPrecondition):
        domain.appealed(refused, "And again", NOW)
    anew, _ = domain.applied(refused, INTERNAL, None, "a@example.com", NOW)
    assert (anew.appeal, anew.refused_by, anew.refusals) == (None, "", ())


def test_only_an_appeal_asks_who_reviews() -> None:
    domain.check_reviewer(_waiting(), "staff/olga")
    appealed = domain.appealed(_refused(), "Look again", NOW)
    domain.check_reviewer(appealed, "staff/otto")
    with pytest.raises(FailedPrecondition) as caught:
        domain.check_reviewer(appealed, "staff/olga")
    assert caught.value.reason is Reason.REVIEWER_NOT_ALLOWED


def test_counts_that_fall_short_do_not_change_the_state() -> None:
    admitted, _ = domain.admitted(_waiting(), CreatorLevel.NEWCOMER, "staff/olga", NOW)
    assert not admitted.unmet_criteria
    short = replace(admitted, statistics=Statistics(20, 10_000, NOW, Source.OBSERVED))
    assert [one.rule_id for one in short.unmet_criteria] == ["R3", "R4"]
    assert short.state is State.ADMITTED


@pytest.mark.parametrize("handle", ["@anna", "anna", " @Anna ", "ANNA"])
def test_an_account_is_the_same_however_its_handle_is_written(handle: str) -> None:
    assert replace(INTERNAL, handle=handle).key == INTERNAL.key
    assert replace(INTERNAL, handle=f"{handle}2").key != INTERNAL.key
    external = replace(INTERNAL, handle=handle, account_class=AccountClass.EXTERNAL)
    assert external.key != INTERNAL.key


@pytest.mark.parametrize("review", live_streams.Review)
@pytest.mark.parametrize("state", [None, *live_streams.State])
def test_a_live_stream_decision_is_for_one_state(
    state: live_streams.State | None, review: live_streams.Review
) -> None:
    before = state and live_streams.Application("Two years", (), NOW, state)
    after = {
        (live_streams.State.PENDING, live_streams.Review.GRANT): live_streams.State.GRANTED,
        (live_streams.State.PENDING, live_streams.Review.REFUSE): live_streams.State.REFUSED,
        (live_streams.State.GRANTED, live_streams.Review.REVOKE): live_streams.State.REVOKED,
    }
    creator = replace(CREATOR, live_stream_application=before)
    assert creator.has_live_stream_access == (state is live_streams.State.GRANTED)

    def decide() -> live_streams.Application:
        return live_streams.reviewed(
            "creators/anna", before, review, comment="So", reviewer="staff/olga", now=NOW
        )

    if state and (state, review) in after:
        decided = decide()
        assert decided.state is after[state, review]
        assert (decided.comment, decided.decided_by) == ("So", "staff/olga")
    else:
        with pytest.raises(FailedPrecondition):
            decide()
