"""A payout in plain words: it sends, learns how that went, and tries again; and what it tells the
assignment, when."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from workflows.policy import Span

# It asks the provider so long after the money has left, and tells the assignment that it has.
_FIRST_LOOK = timedelta(seconds=10)


class PlainPayout:
    def __init__(self, answers: Sequence[str], retry_interval: Span, now: datetime) -> None:
        # How each attempt goes; the last answer stays.
        self.answers = list(answers)
        self.retry_interval = retry_interval
        self.state = "READY"
        self.attempts = 0
        self.is_held = False
        self.time = now
        self.has_told_sent = False

    @property
    def is_paid(self) -> bool:
        return self.state == "PAID"

    @property
    def can_be_wanted(self) -> bool:
        """Whether it waits for its next attempt."""
        return self.state == "FAILED"

    def next_time(self) -> datetime | None:
        if self.state == "READY" and not self.is_held:
            return self.time
        if self.state == "SENT" and not self.has_told_sent:
            return self.time + _FIRST_LOOK
        if self.state == "FAILED":
            return self.retry_interval.after(self.time)
        return None

    def want(self, now: datetime) -> None:
        """Somebody decides that it is paid now."""
        if self.can_be_wanted:
            self.state, self.time = "READY", now

    def hold(self, is_held: bool, now: datetime) -> None:
        if self.is_held and not is_held:
            self.time = max(self.time, now)
        self.is_held = is_held

    def goes_on(self, now: datetime) -> str:
        """What is due now is done: what there is to tell, or nothing."""
        if self.state == "SENT":
            self.has_told_sent = True
            return "SENT"
        if self.state == "FAILED":
            self.state, self.time = "READY", now
            return ""
        self.attempts += 1
        self.has_told_sent = False
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return self.learn(answer, now)

    def learn(self, state: str, now: datetime) -> str:
        """By the provider's answer or by a webhook."""
        self.state, self.time = state, now
        return "" if state == "SENT" else state
