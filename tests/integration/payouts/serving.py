"""Starts the payouts service on a real database, with the creators service and the PayPal
sandbox."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub

from devstack.access import Access
from devstack.paypal_sandbox.settings import Settings as SandboxSettings
from devstack.paypal_sandbox.web.server import Sandbox
from devstack.ports import free_port
from servicekit.postgres.database import Database
from servicekit.rpc.server import Service
from services.creators.handlers import CreatorHandlers
from services.creators.servicer import service as creators_service
from services.creators.store import CreatorStore
from services.payouts.clients import CreatorAccounts
from services.payouts.handlers import PayoutHandlers
from services.payouts.kill_switch.handlers import KillSwitchHandlers
from services.payouts.kill_switch.store import KillSwitchStore
from services.payouts.ledger.store import LedgerStore
from services.payouts.operators.bank_transfers import BankTransferHandlers
from services.payouts.operators.handlers import DecisionHandlers
from services.payouts.operators.store import DecisionStore
from services.payouts.providers.bank_transfer import BankTransferProvider
from services.payouts.providers.interface import Provider
from services.payouts.providers.paypal.client import http_client
from services.payouts.providers.paypal.signatures import SignatureVerifier
from services.payouts.providers.paypal.webhook import PATH, WebhookServer
from services.payouts.providers.registry import providers_of
from services.payouts.reconciliation.handlers import ReconciliationHandlers
from services.payouts.reconciliation.inputs_store import InputsStore
from services.payouts.reconciliation.servicer import service as reconciliation_service
from services.payouts.reconciliation.store import ReconciliationStore
from services.payouts.sending.handlers import PaymentHandlers
from services.payouts.sending.stores import Stores
from services.payouts.servicer import service as payouts_service
from services.payouts.settings import PaypalSettings
from services.payouts.statements.handlers import StatementHandlers
from services.payouts.statements.servicer import service as statement_service
from services.payouts.statements.store import StatementStore
from services.payouts.store import PayoutStore
from tests.integration.payouts.harness import (
    WEBHOOK_ID,
    Harness,
    RecordedSignals,
    paypal_settings,
    utc_now,
)
from tests.integration.paypal_sandbox.contracts import Contracts
from tests.support.databases import Databases
from tests.support.serving import Served, serving
from workflows.payout.providers import ProviderName


async def fresh_database(databases: Databases) -> str:
    """The URL of a new database with the providers' names, as the service adds them at start."""
    url = await databases.fresh("payouts")
    async with Database(url, pool_size=1) as database:
        await PayoutStore(database).add_providers(ProviderName)
    return url


@asynccontextmanager
async def harness_of(
    access: Access,
    database: Database,
    creators_database: Database,
    folder: Path,
    *,
    sends_webhooks: bool = True,
) -> AsyncIterator[Harness]:
    """Webhooks that the sandbox does not send are still in `Harness.events`. The service's traffic
    with the sandbox is checked against PayPal's contracts."""
    settings = paypal_settings(f"http://127.0.0.1:{free_port()}")
    async with AsyncExitStack() as exits:
        creators = await exits.enter_async_context(_creators(access, creators_database))
        contracts = Contracts()
        http = await exits.enter_async_context(http_client())
        http.event_hooks = {"response": [contracts.check_response]}
        stores = _stores(database)
        accounts = CreatorAccounts(CreatorServiceStub(creators.as_service("payouts")))
        providers = dict(providers_of(settings, http, database))
        payments = PaymentHandlers(stores, providers, accounts, utc_now)
        workflows = RecordedSignals()
        webhook = WebhookServer(
            settings.paypal_webhook_listen_address,
            SignatureVerifier(settings, http, utc_now),
            payments,
            workflows,
        )
        await webhook.start()
        exits.push_async_callback(webhook.stop)
        sandbox_data = folder / "sandbox"
        webhook_url = f"http://{webhook.address}{PATH}" if sends_webhooks else None
        await exits.enter_async_context(_sandbox(settings, webhook_url, sandbox_data))
        services = _services(database, stores, payments, providers, workflows)
        served = await exits.enter_async_context(serving(access, services, database))
        yield Harness(
            served,
            creators,
            database,
            stores,
            accounts,
            payments,
            providers,
            webhook,
            settings,
            workflows,
            sandbox_data,
        )
        assert contracts.problems == []


def _creators(access: Access, database: Database) -> AbstractAsyncContextManager[Served]:
    service = creators_service(CreatorHandlers(CreatorStore(database), utc_now))
    return serving(access, [service], database)


def _stores(database: Database) -> Stores:
    return Stores(
        PayoutStore(database),
        LedgerStore(database),
        KillSwitchStore(database),
        DecisionStore(database),
    )


def _sandbox(settings: PaypalSettings, webhook_url: str | None, data: Path) -> Sandbox:
    return Sandbox(
        SandboxSettings(
            address=settings.paypal_base_url.removeprefix("http://"),
            public_url=settings.paypal_base_url,
            client_id=settings.paypal_client_id,
            client_secret=settings.paypal_client_secret,
            webhook_url=webhook_url,
            webhook_id=WEBHOOK_ID,
            data_dir=data,
            step_seconds=0.02,
        )
    )


def _services(
    database: Database,
    stores: Stores,
    payments: PaymentHandlers,
    providers: Mapping[ProviderName, Provider],
    workflows: RecordedSignals,
) -> list[Service]:
    payouts, ledger = PayoutStore(database), LedgerStore(database)
    decision_store = DecisionStore(database)
    kill_switch = KillSwitchHandlers(KillSwitchStore(database), providers, utc_now)
    reconciliations = ReconciliationHandlers(
        ReconciliationStore(database),
        InputsStore(database, payouts),
        payments,
        kill_switch,
        providers,
        workflows,
        utc_now,
    )
    decisions = DecisionHandlers(payouts, ledger, decision_store, payments, workflows, utc_now)
    transfers = BankTransferHandlers(
        payouts, decision_store, BankTransferProvider(database), payments, workflows, utc_now
    )
    return [
        payouts_service(PayoutHandlers(payouts, ledger, utc_now), payments, decisions, transfers),
        statement_service(StatementHandlers(StatementStore(database))),
        reconciliation_service(reconciliations, kill_switch),
    ]
