"""What sending needs of the stores. Pure; implemented by each subject's `store.py`."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.payouts.attempts import Attempt
from services.payouts.domain import Decision, Payout
from services.payouts.kill_switch.handlers import Halts
from services.payouts.ledger.postings import Transfer
from workflows.payout.providers import ProviderName


class Payouts(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[None]: ...

    async def get(self, payout_id: str) -> Payout | None: ...

    async def lock(self, payout_id: str) -> Payout | None: ...

    async def get_attempt(self, payout_id: str, number: int) -> Attempt | None: ...

    async def find_attempt(
        self, provider: ProviderName, sender_batch_id: str, provider_batch_id: str
    ) -> tuple[str, Attempt] | None: ...

    async def add_attempt(self, payout_id: str, attempt: Attempt) -> None: ...

    async def save_attempt(self, payout_id: str, attempt: Attempt, now: datetime) -> None: ...


class Ledger(Protocol):
    async def post(self, transfer: Transfer) -> int: ...


class Decisions(Protocol):
    async def retry_of(self, payout_id: str, attempt_number: int) -> Decision | None: ...

    async def is_held(self, payout_id: str) -> bool: ...


@dataclass(frozen=True)
class Stores:
    """All on one database: a transaction of `payouts` covers the calls of the others in it."""

    payouts: Payouts
    ledger: Ledger
    kill_switch: Halts
    decisions: Decisions
