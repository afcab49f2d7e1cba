"""The payouts process: wiring only."""

from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub

from servicekit.clock import utc_now
from servicekit.database import Database
from servicekit.grpc_client import service_channel
from servicekit.grpc_server import GrpcServer
from servicekit.process import run
from servicekit.schema import bring_up_to_date
from servicekit.telemetry import telemetry
from services.payouts.bank_transfers import BankTransferHandlers
from services.payouts.creators import CreatorReceivers
from services.payouts.decisions import DecisionHandlers
from services.payouts.handlers import PayoutHandlers
from services.payouts.manual import Manual
from services.payouts.overview import PostgresOverview
from services.payouts.payments import PaymentHandlers
from services.payouts.paypal import http_client
from services.payouts.providers import providers_of
from services.payouts.reconciliation_handlers import ReconciliationHandlers
from services.payouts.reconciliation_servicer import service as reconciliation_service
from services.payouts.reconciliation_store import PostgresReconciliationStore
from services.payouts.runs import PayoutRuns
from services.payouts.sending import SwitchHandlers
from services.payouts.servicer import service
from services.payouts.settings import PayoutsSettings
from services.payouts.signatures import SignatureVerifier
from services.payouts.statement_servicer import service as statement_service
from services.payouts.statement_store import PostgresStatementStore
from services.payouts.statements import StatementHandlers
from services.payouts.store import PostgresPayoutStore
from services.payouts.watch import Lookout, watching
from services.payouts.webhook import WebhookServer
from workflows.client import Workflows


async def main() -> None:
    settings = PayoutsSettings()  # type: ignore[call-arg]  # the environment fills it
    with telemetry(settings):
        async with (
            Database(
                settings.database_url.get_secret_value(), pool_size=settings.database_pool_size
            ) as database,
            http_client() as http,
            service_channel(settings, settings.creators_address) as channel,
        ):
            await bring_up_to_date(database, settings, "services.payouts")
            store = PostgresPayoutStore(database)
            receivers = CreatorReceivers(CreatorServiceStub(channel))
            providers = providers_of(settings, http, database)
            switch = SwitchHandlers(store, providers, utc_now)
            # Before anything can be sent.
            await switch.watch_place()
            payments = PaymentHandlers(
                store, providers, receivers, utc_now, settings.payout_provider
            )
            runs = PayoutRuns(Workflows(settings))
            reconciliations = ReconciliationHandlers(
                PostgresReconciliationStore(database, store),
                payments,
                switch,
                providers,
                runs,
                utc_now,
            )
            decisions = DecisionHandlers(store, payments, runs, utc_now)
            transfers = BankTransferHandlers(store, Manual(database), payments, runs, utc_now)
            webhook = WebhookServer(
                settings.paypal_webhook_listen_address,
                SignatureVerifier(settings, http, utc_now),
                payments,
                runs,
            )
            await webhook.start()
            payouts = PayoutHandlers(store, utc_now)
            statements = StatementHandlers(PostgresStatementStore(database))
            services = [
                service(payouts, payments, decisions, transfers),
                statement_service(statements),
                reconciliation_service(reconciliations, switch),
            ]
            lookout = Lookout(switch, PostgresOverview(database), providers, utc_now)
            async with watching(store, utc_now, lookout):
                await GrpcServer(settings, services, database).serve_until_told()
            await webhook.stop()


if __name__ == "__main__":
    run(main())
