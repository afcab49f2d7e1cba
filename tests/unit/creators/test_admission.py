"""Transitions of an admission, and the criteria it depends on."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from servicekit.creator_levels import CreatorLevel
from servicekit.errors import FailedPrecondition, Reason
from services.creators import admission, domain
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


def _pending() -> Creator:
    pending, decision = admission.apply(CREATOR, INTERNAL, None, "a@example.com", NOW)
    assert decision is None
    return pending


def _refused() -> Creator:
    return admission.refuse(_pending(), (OTHER,), "staff/olga", NOW)[0]


@pytest.mark.parametrize("account_class", AccountClass)
@pytest.mark.parametrize("code", RefusalCode)
def test_each_code_belongs_to_staff_or_the_platform_and_has_a_rule(
    code: RefusalCode, account_class: AccountClass
) -> None:
    rule = domain.rule_of(code, account_class)
    violation = domain.code_violation(code, account_class, "refusals[0].code")
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
def test_applying_requires_the_state_registered_or_refused(state: State) -> None:
    creator = replace(CREATOR, state=state)
    if state in (State.REGISTERED, State.REFUSED):
        assert admission.apply(creator, INTERNAL, None, "a@x.com", NOW)[0].account == INTERNAL
        return
    with pytest.raises(FailedPrecondition) as caught:
        admission.apply(creator, INTERNAL, None, "a@example.com", NOW)
    assert caught.value.reason is Reason.ILLEGAL_STATE


@pytest.mark.parametrize("state", State)
def test_only_a_refusal_by_staff_can_be_appealed(state: State) -> None:
    refused = replace(_refused(), state=state)
    if state is State.REFUSED:
        assert admission.appeal(refused, "Look again", NOW).state is State.APPEALED
    else:
        with pytest.raises(FailedPrecondition) as caught:
            admission.appeal(refused, "Look again", NOW)
        assert caught.value.reason is Reason.APPEAL_NOT_ALLOWED
    by_numbers = replace(refused, state=State.REFUSED, refused_by=SYSTEM)
    with pytest.raises(FailedPrecondition):
        admission.appeal(by_numbers, "Look again", NOW)


def test_a_refusal_on_appeal_cannot_be_appealed() -> None:
    appealed = admission.appeal(_refused(), "Look again", NOW)
    refused, decision = admission.refuse(appealed, (OTHER,), "staff/otto", NOW)
    assert decision.appeal == appealed.appeal
    with pytest.raises(FailedPrecondition):
        admission.appeal(refused, "And again", NOW)
    anew, _ = admission.apply(refused, INTERNAL, None, "a@example.com", NOW)
    assert (anew.appeal, anew.refused_by, anew.refusals) == (None, "", ())


def test_an_appeal_is_reviewed_by_another_operator() -> None:
    admission.check_reviewer(_pending(), "staff/olga")
    appealed = admission.appeal(_refused(), "Look again", NOW)
    admission.check_reviewer(appealed, "staff/otto")
    with pytest.raises(FailedPrecondition) as caught:
        admission.check_reviewer(appealed, "staff/olga")
    assert caught.value.reason is Reason.REVIEWER_NOT_ALLOWED


def test_counts_below_the_criteria_keep_an_admission() -> None:
    admitted, _ = admission.admit(_pending(), CreatorLevel.NEWCOMER, "staff/olga", NOW)
    assert not admitted.unmet_criteria
    short = replace(admitted, statistics=Statistics(20, 10_000, NOW, Source.OBSERVED))
    assert [one.rule_id for one in short.unmet_criteria] == ["R3", "R4"]
    assert short.state is State.ADMITTED


@pytest.mark.parametrize("handle", ["@anna", "anna", " @Anna ", "ANNA"])
def test_an_account_key_ignores_case_and_the_at_sign_of_the_handle(handle: str) -> None:
    assert replace(INTERNAL, handle=handle).key == INTERNAL.key
    assert replace(INTERNAL, handle=f"{handle}2").key != INTERNAL.key
    external = replace(INTERNAL, handle=handle, account_class=AccountClass.EXTERNAL)
    assert external.key != INTERNAL.key
