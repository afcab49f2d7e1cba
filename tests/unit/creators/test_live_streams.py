"""Transitions of a live-stream application."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from servicekit.errors import FailedPrecondition
from services.creators import live_streams
from services.creators.domain import Creator

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CREATOR = Creator("anna", "Anna", "+34612345678", "+34612345678", NOW, NOW)


@pytest.mark.parametrize("decision", live_streams.Review)
@pytest.mark.parametrize("state", [None, *live_streams.State])
def test_each_decision_requires_one_state(
    state: live_streams.State | None, decision: live_streams.Review
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
        return live_streams.review(
            "creators/anna", before, decision, comment="So", reviewer="staff/olga", now=NOW
        )

    if state and (state, decision) in after:
        decided = decide()
        assert decided.state is after[state, decision]
        assert (decided.comment, decided.decided_by) == ("So", "staff/olga")
    else:
        with pytest.raises(FailedPrecondition):
            decide()
