"""Reference model of a payout: sending, recalling what is not claimed, retrying, and reporting to
the assignment."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from workflows.policy import Policy

# First poll after sending, which also reports SENT to the assignment.
_FIRST_POLL = timedelta(seconds=10)
# Report to the assignment for each state, sent once per attempt.
_REPORTS = {"BLOCKED": "ESCALATED", "SENT": ""}


class ReferencePayout:
    def __init__(
        self, answers: Sequence[str], policy: Policy, now: datetime, amount: int, reserved: int
    ) -> None:
        # Result of each attempt; the last one repeats.
        self.answers = list(answers)
        self.policy = policy
        self.state = "READY"
        self.attempts = 0
        self.is_held = False
        # Time of the last change, and of the last report to the assignment.
        self.since = self.time = now
        self.reported = set[str]()
        # The amount, and each amount that was reserved for it.
        self.amount, self.reserved = amount, reserved
        self.reservations: list[int] = []
        self._set_aside()

    @property
    def is_over(self) -> bool:
        return self.state in ("PAID", "WRITTEN_OFF", "RELEASED")

    @property
    def is_sent(self) -> bool:
        """It can no longer be cancelled or lowered."""
        return self.state not in ("READY", "FAILED")

    @property
    def is_under_way(self) -> bool:
        """The provider has the money."""
        return self.state in ("SENT", "UNCLAIMED", "BLOCKED")

    def next_time(self) -> datetime | None:
        if self.state == "READY" and not self.is_held:
            return self.time
        if self.state == "SENT" and "SENT" not in self.reported:
            return self.since + _FIRST_POLL
        if self.state == "SENT" and "SENT too long" not in self.reported:
            return self.policy.reward_window.after(self.since)
        if self.state == "UNCLAIMED":
            return self.policy.claim_window.after(self.since)
        if self.state == "FAILED":
            return self.policy.payout_retry_interval.after(self.time)
        return None

    def want(self, now: datetime) -> None:
        """A decision to pay now ends any waiting."""
        if self.state in ("FAILED", "UNCLAIMED"):
            self.state, self.time = "READY", now

    def settle(self, left: int, now: datetime) -> None:
        """A mediator decides the remaining amount."""
        if left:
            self.amount = left
            self.want(now)
        else:
            self.state = "RELEASED"

    def hold(self, is_held: bool, now: datetime) -> None:
        if self.is_held and not is_held and self.state == "READY":
            self.time = max(self.time, now)
        self.is_held = is_held

    def advance(self, now: datetime) -> str:
        """Does what is due now; returns the report to send, or an empty string."""
        if self.state == "SENT":
            is_first = "SENT" not in self.reported
            self.reported.add("SENT" if is_first else "SENT too long")
            return "SENT" if is_first else "ESCALATED"
        if self.state in ("FAILED", "UNCLAIMED"):
            self.state, self.time = "READY", now
            return ""
        self._set_aside()
        self.attempts += 1
        self.reported.clear()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return self.apply_status(answer, now)

    def apply_status(self, state: str, now: datetime) -> str:
        """A new state from the provider, a webhook or an operator; returns the report to send."""
        self.state, self.since, self.time = state, now, now
        reported = _REPORTS.get(state, state)
        if state in self.reported:
            return ""
        if reported:
            self.reported.add(state)
        return reported

    def _set_aside(self) -> None:
        if self.amount != self.reserved:
            self.reserved = self.amount
            self.reservations.append(self.amount)
