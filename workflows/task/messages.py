"""Protobuf messages of a task's transitions, for the activity that records them and the service
that stores and returns them."""

from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.timestamps import from_timestamp, to_timestamp
from workflows.task.model import Event, State, Transition


def transition_message(task_id: str, transition: Transition) -> pb.TaskTransition:
    return pb.TaskTransition(
        sequence=transition.sequence,
        event=transition.event,
        from_state=pb.Task.State.Value(f"STATE_{transition.from_state or 'DRAFT'}"),
        to_state=pb.Task.State.Value(f"STATE_{transition.to_state}"),
        actor=transition.actor,
        comment=transition.comment,
        time=to_timestamp(transition.time),
        applications=[f"tasks/{task_id}/applications/{id_}" for id_ in transition.application_ids],
    )


def transition_from_message(message: pb.TaskTransition) -> Transition:
    from_state = _state(message.from_state)
    return Transition(
        sequence=message.sequence,
        event=Event(message.event),
        from_state=None if from_state == "DRAFT" else State(from_state),
        to_state=State(_state(message.to_state)),
        actor=message.actor,
        comment=message.comment,
        time=from_timestamp(message.time),
        application_ids=[name.rpartition("/")[2] for name in message.applications],
    )


def _state(state: pb.Task.State.ValueType) -> str:
    return pb.Task.State.Name(state).removeprefix("STATE_")
