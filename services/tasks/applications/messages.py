"""Applications as protobuf messages."""

from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.timestamps import to_timestamp
from services.tasks.applications.domain import Application, ApplicationState


def application_message(application: Application) -> pb.Application:
    is_selected = application.state is ApplicationState.SELECTED
    return pb.Application(
        name=application.name,
        state=pb.Application.State.Value(f"STATE_{application.state}"),
        creator=f"creators/{application.creator_id}",
        message=application.message,
        assignment=f"assignments/{application.id}" if is_selected else "",
        create_time=to_timestamp(application.create_time),
        update_time=to_timestamp(application.update_time),
    )
