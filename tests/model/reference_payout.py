"""A payout in plain words: it sends, learns how that went, takes back what nobody claims, and tries
again; and what it tells the assignment, when."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from workflows.policy import Policy

# It asks the provider so long after the money has left, and tells the assignment that it has.
_FIRST_POLL = timedelta(seconds=10)
# Report to the assignment for each state, sent once per attempt.
_REPORTS = {"BLOCKED": "ESCALATED", "SENT": ""}


class ReferencePayout:
    def __init__(
        self, answers: Sequence[str], policy: Policy, now: datetime, amount: int, reserved: int
    ) -> None:
        # How each attempt goes; the last answer stays.
        self.answers = list(answers)
        self.policy = policy
        self.state = "READY"
        self.attempts = 0
        self.is_held = False
        # Since when it is so, and when the assignment heard of it.
        self.since = self.time = now
        self.reported = set[str]()
        # How much it is, and each amount that it had set aside for that.
        self.amount, self.reserved = amount, reserved
        self.set_aside: list[int] = []
        self._set_aside()

    @property
    def is_over(self) -> bool:
        return self.state in ("PAID", "WRITTEN_OFF", "RELEASED")

    @property
    def is_sent(self) -> bool:
        """Nothing of it can be taken back or lowered."""
        return self.state not in ("READY", "FAILED")

    @property
    def is_under_way(self) -> bool:
        """The provider has it, and decides what becomes of it."""
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
        """Somebody decides that it is paid now: what waits does not wait any longer."""
        if self.state in ("FAILED", "UNCLAIMED"):
            self.state, self.time = "READY", now

    def settle(self, left: int, now: datetime) -> None:
        """A mediator leaves so much of it."""
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
        """What is due now is done: what there is to tell, or nothing."""
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
        """By the provider's answer, by a webhook, or from an operator."""
        self.state, self.since, self.time = state, now, now
        news = _REPORTS.get(state, state)
        if state in self.reported:
            return ""
        if news:
            self.reported.add(state)
        return news

    def _set_aside(self) -> None:
        if self.amount != self.reserved:
            self.reserved = self.amount
            self.set_aside.append(self.amount)
