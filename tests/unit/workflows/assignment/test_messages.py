"""Conversion of assignments and transitions to protobuf and back."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.workflows.samples import (
    BRAND,
    DEADLINE,
    LATER,
    REACHED,
    approved,
    begun,
    disputed,
    expired,
    transition_of,
)
from workflows.assignment.messages import (
    assignment_message,
    transition_from_message,
    transition_message,
)
from workflows.assignment.model import Assignment, Event, State
from workflows.dispute.model import Ground


@pytest.mark.parametrize("reached", State)
def test_every_state_has_a_message(reached: State) -> None:
    a = REACHED[reached]()
    message = assignment_message(a)
    assert message.DESCRIPTOR.enum_types_by_name["State"].values_by_number[message.state].name == (
        f"STATE_{reached}"
    )
    assert (message.sequence, message.payout) == (
        a.sequence,
        "payouts/a1" if a.has_payout else "",
    )
    assert message.HasField("clock") is (a.clock is not None)


@pytest.mark.parametrize("reached", [begun, approved, expired])
def test_a_held_clock_is_sent_as_its_remaining_time(reached: Callable[[], Assignment]) -> None:
    a = disputed(reached(), Ground.FRAUD)
    assert a.clock is not None
    clock = assignment_message(a).clock
    if a.clock.held_time is None:
        assert clock.HasField("due_time")
    else:
        assert clock.remaining.ToTimedelta() == DEADLINE - LATER
        assert not clock.HasField("due_time")


@pytest.mark.parametrize("event", Event)
def test_a_transition_survives_its_message(event: Event) -> None:
    transition = transition_of(event, BRAND)
    assert transition_from_message(transition_message(transition)) == transition
    first = replace(transition, from_state=None)
    assert transition_from_message(transition_message(first)) == first
