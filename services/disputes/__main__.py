"""The disputes process: wiring only."""

from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub

from servicekit.clock import utc_now
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate_on_start
from servicekit.process import run
from servicekit.rpc.client import service_channel
from servicekit.rpc.server import GrpcServer
from servicekit.telemetry import telemetry
from services.disputes.clients import AssignmentClient
from services.disputes.handlers import DisputeHandlers
from services.disputes.servicer import service
from services.disputes.settings import DisputesSettings
from services.disputes.store import DisputeStore
from services.disputes.workflows import DisputeWorkflowClient
from workflows.temporal.client import Workflows


async def main() -> None:
    settings = DisputesSettings()  # type: ignore[call-arg]  # the environment fills it
    with telemetry(settings):
        async with (
            Database.from_settings(settings) as database,
            service_channel(settings, settings.tasks_address) as tasks,
        ):
            await migrate_on_start(database, settings, "services.disputes")
            disputes = DisputeHandlers(
                DisputeStore(database),
                AssignmentClient(AssignmentServiceStub(tasks)),
                DisputeWorkflowClient(Workflows(settings)),
                utc_now,
            )
            await GrpcServer(settings, [service(disputes)], database).serve_until_stopped()


if __name__ == "__main__":
    run(main())
