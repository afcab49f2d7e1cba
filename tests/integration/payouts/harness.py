"""The payouts service as its tests call it. `serving` starts it."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from google.type.money_pb2 import Money as MoneyMessage
from liaison.creators.v1 import creators_pb2
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub
from pydantic import SecretStr

from servicekit.clock import Clock
from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.clients import CreatorAccounts
from services.payouts.domain import Payout
from services.payouts.ledger.store import LedgerStore
from services.payouts.operators.handlers import DecisionHandlers
from services.payouts.operators.store import DecisionStore
from services.payouts.providers.interface import Provider
from services.payouts.providers.paypal.webhook import PATH, WebhookServer
from services.payouts.sending.handlers import PaymentHandlers, RecallPayout
from services.payouts.sending.sender import SendPayout
from services.payouts.sending.stores import Stores
from services.payouts.settings import PaypalSettings
from services.payouts.store import PayoutStore
from tests.support.serving import Served, request_id
from workflows.payout.providers import ProviderName

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub
    from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceAsyncStub

DEADLINE_SECONDS = 10
WEBHOOK_ID = "WH-TEST"


def utc_now() -> datetime:
    return datetime.now(UTC)


def usd(minor: int) -> MoneyMessage:
    return Money("USD", minor).to_message()


@dataclass
class RecordedSignals:
    """Records the signals that the service sends to payout workflows."""

    # Payout id and state.
    changes: list[tuple[str, str]] = field(default_factory=list)
    # Payout id and number of the attempt to make.
    retries: list[tuple[str, int]] = field(default_factory=list)

    async def try_signal(self, payout: Payout) -> None:
        self.changes.append((payout.id, payout.state))

    async def signal(self, payout: Payout) -> None:
        await self.try_signal(payout)

    async def retry(self, payout: Payout) -> None:
        self.retries.append((payout.id, len(payout.attempts) + 1))


@dataclass
class Harness:
    served: Served
    creators: Served
    database: Database
    stores: Stores
    accounts: CreatorAccounts
    payments: PaymentHandlers
    # A test may replace one.
    providers: dict[ProviderName, Provider]
    webhook: WebhookServer
    settings: PaypalSettings
    workflows: RecordedSignals
    sandbox_data: Path

    def payments_with(
        self,
        *,
        stores: Stores | None = None,
        providers: Mapping[ProviderName, Provider] | None = None,
        clock: Clock = utc_now,
        provider: ProviderName = ProviderName.PAYPAL,
    ) -> PaymentHandlers:
        """The use cases of payments as another process on the same database has them."""
        return PaymentHandlers(
            stores or self.stores, providers or self.providers, self.accounts, clock, provider
        )

    def decisions_with(
        self, *, decisions: DecisionStore | None = None, workflows: "RecordedSignals | None" = None
    ) -> DecisionHandlers:
        """The use cases of operators, with another store or other workflows."""
        return DecisionHandlers(
            PayoutStore(self.database),
            LedgerStore(self.database),
            decisions or DecisionStore(self.database),
            self.payments,
            workflows or self.workflows,
            utc_now,
        )

    @property
    def worker(self) -> "PayoutServiceAsyncStub":
        return PayoutServiceStub(self.served.as_service())

    @property
    def reconciler(self) -> "ReconciliationServiceAsyncStub":
        """Called as an operator."""
        return ReconciliationServiceStub(self.served.as_operator())

    @property
    def operator(self) -> "PayoutServiceAsyncStub":
        return PayoutServiceStub(self.served.as_operator())

    def brand(self, brand: str = "acme") -> "PayoutServiceAsyncStub":
        return PayoutServiceStub(self.served.as_brand(brand))

    async def deposit(self, minor: int, brand: str = "acme", reference: str = "") -> pb.Deposit:
        deposit = await self.brand(brand).CreateDeposit(
            pb.CreateDepositRequest(
                parent=f"brands/{brand}",
                deposit=pb.Deposit(amount=usd(minor)),
                request_id=request_id(),
            )
        )
        return await self.operator.ConfirmDeposit(
            pb.ConfirmDepositRequest(
                name=deposit.name,
                external_reference=reference or request_id(),
                request_id=request_id(),
            )
        )

    async def creator(self, creator: str, receiver: str) -> None:
        stub = CreatorServiceStub(self.creators.as_creator(creator))
        await stub.CreateCreator(
            creators_pb2.CreateCreatorRequest(
                creator=creators_pb2.Creator(
                    name=f"creators/{creator}",
                    display_name=creator,
                    mobile_number="+34612345678",
                ),
                request_id=request_id(),
            )
        )
        if receiver:
            await self.name_account(creator, receiver)

    async def name_account(self, creator: str, receiver: str) -> None:
        stub = CreatorServiceStub(self.creators.as_creator(creator))
        await stub.UpdatePayoutAccount(
            creators_pb2.UpdatePayoutAccountRequest(
                name=f"creators/{creator}", paypal_receiver=receiver, request_id=request_id()
            )
        )

    async def reserve(
        self, *payouts: str, minor: int = 10_000, brand: str = "acme", creator: str = "anna"
    ) -> None:
        await self.worker.ReserveRewards(
            pb.ReserveRewardsRequest(
                brand=f"brands/{brand}",
                amount=usd(minor),
                reservations=[
                    pb.RewardReservation(payout=f"payouts/{payout}", creator=f"creators/{creator}")
                    for payout in payouts
                ],
            )
        )

    async def due(self, payout: str, receiver: str, minor: int = 10_000) -> None:
        """Deposits, creates the creator and reserves: the payout can be sent."""
        await self.deposit(100_000)
        await self.creator("anna", receiver)
        await self.reserve(payout, minor=minor)

    async def send(self, payout: str, attempt: int = 1) -> pb.Payout:
        return await self.worker.SendPayout(
            pb.SendPayoutRequest(name=f"payouts/{payout}", attempt=attempt)
        )

    async def send_once(
        self, payout: str, attempt: int = 1, *, later: timedelta = timedelta()
    ) -> Payout:
        """One call at a later time, without the client's retries."""
        payments = self.payments_with(clock=lambda: utc_now() + later)
        return await payments.send_payout(
            SendPayout.model_validate({"name": f"payouts/{payout}", "attempt": attempt})
        )

    async def recall(self, payout: str, attempt: int = 1) -> pb.Payout:
        return await self.worker.RecallPayout(
            pb.RecallPayoutRequest(name=f"payouts/{payout}", attempt=attempt)
        )

    async def recall_once(self, payout: str, attempt: int = 1) -> Payout:
        """One call, without the client's retries."""
        return await self.payments.recall_payout(
            RecallPayout.model_validate({"name": f"payouts/{payout}", "attempt": attempt})
        )

    async def behave(
        self, receiver: str, behaviour: str, delay_seconds: float | None = None
    ) -> None:
        """Sets how the sandbox treats later payments to `receiver`."""
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.put(
                f"{self.settings.paypal_base_url}/admin/behaviours/{receiver}",
                json={"behaviour": behaviour, "delay_seconds": delay_seconds},
            )
            answer.raise_for_status()

    def lose_webhooks(self) -> None:
        """The service rejects every later webhook: it trusts another certificate origin."""
        self.webhook._verifier._origin = "https://nowhere.example"

    async def refresh(self, payout: str) -> pb.Payout:
        return await self.worker.RefreshPayout(pb.RefreshPayoutRequest(name=f"payouts/{payout}"))

    async def get(self, payout: str) -> pb.Payout:
        return await self.worker.GetPayout(pb.GetPayoutRequest(name=f"payouts/{payout}"))

    async def until(self, payout: str, state: pb.Payout.State.ValueType) -> pb.Payout:
        """Refreshes until the payout is in that state."""
        found = await self.refresh(payout)

        async def is_reached() -> bool:
            nonlocal found
            found = await self.refresh(payout)
            return found.state == state

        await eventually(is_reached)
        return found

    async def until_provider(self, *batches: tuple[str, str]) -> None:
        """Waits, without calling the service, until the sandbox has these batches and states."""

        async def is_reached() -> bool:
            return self.batches() == list(batches)

        await eventually(is_reached)

    async def funds(self, brand: str = "acme") -> tuple[int, int]:
        """Available and reserved, in minor units of USD."""
        balance = await self.brand(brand).GetBalance(
            pb.GetBalanceRequest(name=f"brands/{brand}", currency_code="USD")
        )
        return (
            Money.from_message(balance.available).amount_minor,
            Money.from_message(balance.reserved).amount_minor,
        )

    async def balances(self) -> dict[str, int]:
        """Balances of all accounts in USD; fails when they do not sum to zero."""
        answer = await self.operator.GetTrialBalance(pb.GetTrialBalanceRequest())
        balances = {
            each.account: Money.from_message(each.balance).amount_minor for each in answer.accounts
        }
        assert sum(balances.values()) == 0
        return balances

    def batches(self) -> list[tuple[str, str]]:
        """The sandbox's batches: sender_batch_id and state of each."""
        with contextlib.closing(sqlite3.connect(self.sandbox_data / "sandbox.sqlite3")) as database:
            rows = database.execute(
                "SELECT sender_batch_id, status FROM batch ORDER BY created_at, rowid"
            )
            return [(str(row[0]), str(row[1])) for row in rows]

    def receivers(self) -> list[str]:
        """The receivers of the sandbox's payments, oldest first."""
        with contextlib.closing(sqlite3.connect(self.sandbox_data / "sandbox.sqlite3")) as database:
            rows = database.execute("SELECT detail FROM item ORDER BY rowid")
            return [str(json.loads(row[0])["receiver"]) for row in rows]

    def events(self) -> list[bytes]:
        """The bodies of all the sandbox's webhooks, oldest first, sent or not."""
        with contextlib.closing(sqlite3.connect(self.sandbox_data / "sandbox.sqlite3")) as database:
            rows = database.execute("SELECT body FROM event ORDER BY rowid")
            return [str(row[0]).encode() for row in rows]

    @property
    def webhook_url(self) -> str:
        return f"http://{self.webhook.address}{PATH}"


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110  another process changes the condition
            await asyncio.sleep(0.02)


def paypal_settings(base_url: str) -> PaypalSettings:
    return PaypalSettings(
        paypal_base_url=base_url,
        paypal_client_id="client",
        paypal_client_secret=SecretStr("secret"),
        paypal_webhook_id=WEBHOOK_ID,
        paypal_webhook_listen_address="127.0.0.1:0",
        paypal_certificate_origin=base_url,
        paypal_posts_a_minute=1_000_000,
    )
