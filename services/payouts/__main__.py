"""The payouts process: wiring only."""

from collections.abc import Mapping

import httpx
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub

from servicekit.background import run_periodically
from servicekit.clock import utc_now
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate_on_start
from servicekit.process import run
from servicekit.rpc.client import service_channel
from servicekit.rpc.server import GrpcServer, Service
from servicekit.telemetry import telemetry
from services.payouts.clients import CreatorAccounts
from services.payouts.handlers import PayoutHandlers
from services.payouts.kill_switch.handlers import KillSwitchHandlers
from services.payouts.kill_switch.store import KillSwitchStore
from services.payouts.ledger.store import LedgerStore
from services.payouts.monitoring.monitor import INTERVAL_SECONDS, PayoutMonitor, check_ledger
from services.payouts.monitoring.queries import MonitoringQueries
from services.payouts.operators.bank_transfers import BankTransferHandlers
from services.payouts.operators.handlers import DecisionHandlers
from services.payouts.operators.store import DecisionStore
from services.payouts.providers.bank_transfer import BankTransferProvider
from services.payouts.providers.interface import Provider
from services.payouts.providers.paypal.client import http_client
from services.payouts.providers.paypal.signatures import SignatureVerifier
from services.payouts.providers.paypal.webhook import WebhookServer
from services.payouts.providers.registry import providers_of
from services.payouts.reconciliation.handlers import ReconciliationHandlers
from services.payouts.reconciliation.inputs_store import InputsStore
from services.payouts.reconciliation.servicer import service as reconciliation_service
from services.payouts.reconciliation.store import ReconciliationStore
from services.payouts.sending.handlers import PaymentHandlers
from services.payouts.sending.stores import Stores
from services.payouts.servicer import service
from services.payouts.settings import PayoutsSettings
from services.payouts.statements.handlers import StatementHandlers
from services.payouts.statements.servicer import service as statement_service
from services.payouts.statements.store import StatementStore
from services.payouts.store import PayoutStore
from services.payouts.workflows import PayoutWorkflowClient
from workflows.payout.providers import ProviderName
from workflows.temporal.client import Workflows


async def main() -> None:
    settings = PayoutsSettings()  # type: ignore[call-arg]  # the environment fills it
    with telemetry(settings):
        async with (
            Database.from_settings(settings) as database,
            http_client() as http,
            service_channel(settings, settings.creators_address) as channel,
        ):
            await migrate_on_start(database, settings, "services.payouts")
            accounts = CreatorAccounts(CreatorServiceStub(channel))
            await _serve(settings, database, http, accounts)


async def _serve(
    settings: PayoutsSettings,
    database: Database,
    http: httpx.AsyncClient,
    accounts: CreatorAccounts,
) -> None:
    payouts, ledger = PayoutStore(database), LedgerStore(database)
    decisions, halts = DecisionStore(database), KillSwitchStore(database)
    await payouts.add_providers(ProviderName)
    providers = providers_of(settings, http, database)
    kill_switch = KillSwitchHandlers(halts, providers, utc_now)
    # Before anything can be sent.
    await kill_switch.check_database_identity()
    stores = Stores(payouts, ledger, halts, decisions)
    payments = PaymentHandlers(stores, providers, accounts, utc_now, settings.payout_provider)
    workflows = PayoutWorkflowClient(Workflows(settings))
    services = _services(database, providers, payments, kill_switch, workflows)
    verifier = SignatureVerifier(settings, http, utc_now)
    webhook = WebhookServer(settings.paypal_webhook_listen_address, verifier, payments, workflows)
    await webhook.start()
    monitor = PayoutMonitor(kill_switch, MonitoringQueries(database), providers, utc_now)
    async with (
        run_periodically(
            "check_ledger",
            lambda: check_ledger(ledger, utc_now),
            interval_seconds=INTERVAL_SECONDS,
        ),
        run_periodically("check_payouts", monitor.check, interval_seconds=INTERVAL_SECONDS),
    ):
        await GrpcServer(settings, services, database).serve_until_stopped()
    await webhook.stop()


def _services(
    database: Database,
    providers: Mapping[ProviderName, Provider],
    payments: PaymentHandlers,
    kill_switch: KillSwitchHandlers,
    workflows: PayoutWorkflowClient,
) -> list[Service]:
    payouts, ledger = PayoutStore(database), LedgerStore(database)
    decisions, transfers = DecisionStore(database), BankTransferProvider(database)
    reconciliations, inputs = ReconciliationStore(database), InputsStore(database, payouts)
    return [
        service(
            PayoutHandlers(payouts, ledger, utc_now),
            payments,
            DecisionHandlers(payouts, ledger, decisions, payments, workflows, utc_now),
            BankTransferHandlers(payouts, decisions, transfers, payments, workflows, utc_now),
        ),
        statement_service(StatementHandlers(StatementStore(database))),
        reconciliation_service(
            ReconciliationHandlers(
                reconciliations, inputs, payments, kill_switch, providers, workflows, utc_now
            ),
            kill_switch,
        ),
    ]


if __name__ == "__main__":
    run(main())
