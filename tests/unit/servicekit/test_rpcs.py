"""Access tables and what the protos declare."""

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from liaison.tasks.v1 import records_pb2, tasks_pb2

from servicekit.auth import Principal, Role
from servicekit.errors import PermissionDenied, Reason
from servicekit.rpc.access import Repeat, allow, rpcs_of
from servicekit.rpc.interceptors.validation import clear_output_only, missing_fields
from services.tasks.recording.servicer import ACCESS as RECORD_ACCESS
from services.tasks.servicer import ACCESS as TASK_ACCESS

TASKS = tasks_pb2.DESCRIPTOR.services_by_name["TaskService"]


def test_a_table_names_every_method() -> None:
    rpcs = rpcs_of(TASKS, TASK_ACCESS)
    assert set(rpcs) == {f"/liaison.tasks.v1.TaskService/{method.name}" for method in TASKS.methods}
    assert all(rpc.name in TASK_ACCESS for rpc in rpcs.values())


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_a_table_that_does_not_match_keeps_the_server_from_starting(change: str) -> None:
    table = dict(TASK_ACCESS)
    if change == "missing":
        del table["GetTask"]
    else:
        table["DropTask"] = allow(Role.OPERATOR)
    with pytest.raises(ValueError, match=r"TaskService: \['(GetTask|DropTask)'\]"):
        rpcs_of(TASKS, table)


def test_only_methods_with_a_request_id_are_idempotent_by_it() -> None:
    rpcs = {rpc.name: rpc.repeat for rpc in rpcs_of(TASKS, TASK_ACCESS).values()}
    assert rpcs["CreateTask"] is Repeat.IN_TRANSACTION
    assert rpcs["PublishTask"] is Repeat.BY_COMMAND
    assert rpcs["GetTask"] is rpcs["ListTasks"] is None
    records = rpcs_of(records_pb2.DESCRIPTOR.services_by_name["RecordService"], RECORD_ACCESS)
    assert {rpc.repeat for rpc in records.values()} == {None}
    assert {rpc.roles for rpc in records.values()} == {frozenset({Role.SERVICE})}


def _service(field: str, **shape: bool) -> ServiceDescriptor:
    """A service with one method, whose request has one field."""
    pool = DescriptorPool()
    pool.AddSerializedFile(
        FileDescriptorProto(
            name="odd.proto",
            package="odd",
            message_type=[
                DescriptorProto(
                    name="Order",
                    field=[
                        FieldDescriptorProto(
                            name=field,
                            number=1,
                            type=FieldDescriptorProto.TYPE_STRING,
                            label=FieldDescriptorProto.LABEL_OPTIONAL,
                        )
                    ],
                )
            ],
            service=[
                ServiceDescriptorProto(
                    name="OddService",
                    method=[
                        MethodDescriptorProto(
                            name="Odd", input_type=".odd.Order", output_type=".odd.Order", **shape
                        )
                    ],
                )
            ],
        ).SerializeToString()
    )
    return pool.FindServiceByName("odd.OddService")


def test_a_server_stream_is_recognised() -> None:
    table = {"Odd": allow(Role.OPERATOR)}
    assert rpcs_of(_service("name", server_streaming=True), table)["/odd.OddService/Odd"].is_stream
    assert not rpcs_of(_service("name"), table)["/odd.OddService/Odd"].is_stream


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (_service("name", client_streaming=True), "client streaming is not supported"),
        (
            _service("name", client_streaming=True, server_streaming=True),
            "client streaming is not supported",
        ),
        (_service("request_id", server_streaming=True), "a stream cannot have a request_id"),
    ],
    ids=["from the caller", "both ways", "a stream repeated"],
)
def test_unsupported_method_kinds_keep_the_server_from_starting(
    service: ServiceDescriptor, why: str
) -> None:
    with pytest.raises(TypeError, match=f"odd.OddService.Odd: .*{why}"):
        rpcs_of(service, {"Odd": allow(Role.OPERATOR)})


def test_missing_fields_are_found_in_nested_messages() -> None:
    request = tasks_pb2.CreateTaskRequest(
        task=tasks_pb2.Task(title="x", requirements=[tasks_pb2.Requirement(text="a")])
    )
    request.task.requirements.add()
    assert [violation.field for violation in missing_fields(request)] == [
        "request_id",
        "task.application_deadline_time",
        "task.content_types",
        "task.creator_slots",
        "task.reward",
        "task.submission_deadline_time",
        "task.requirements[1].text",
    ]


def test_output_only_fields_of_a_request_are_cleared() -> None:
    request = tasks_pb2.CreateTaskRequest(
        task=tasks_pb2.Task(
            title="x",
            state=tasks_pb2.Task.STATE_CLOSED,
            brand="brands/other",
            requirements=[tasks_pb2.Requirement(id="req-9", text="a")],
        )
    )
    clear_output_only(request)
    assert request.task == tasks_pb2.Task(title="x", requirements=[tasks_pb2.Requirement(text="a")])


@pytest.mark.parametrize(
    ("principal", "may"),
    [
        (Principal("b", Role.BRAND, brand="acme"), True),
        (Principal("b", Role.BRAND, brand="other"), False),
        (Principal("c", Role.CREATOR, creator="bea"), True),
        (Principal("c", Role.CREATOR, creator="acme"), False),
        (Principal("staff/mia", Role.MEDIATOR), True),
        (Principal("staff/olga", Role.OPERATOR), True),
        (Principal("services/worker", Role.SERVICE), True),
        (Principal("platforms/counts", Role.PLATFORM), False),
    ],
)
def test_only_a_party_passes(principal: Principal, may: bool) -> None:
    if may:
        principal.require_party("tasks/a", brand="acme", creator="bea")
        return
    with pytest.raises(PermissionDenied) as refused:
        principal.require_party("tasks/a", brand="acme", creator="bea")
    assert refused.value.reason is Reason.NOT_YOURS


@pytest.mark.parametrize("role", [Role.BRAND, Role.CREATOR, Role.PLATFORM])
def test_a_role_without_a_part_in_the_resource_is_denied(role: Role) -> None:
    nobody = Principal("x", role)
    with pytest.raises(PermissionDenied):
        nobody.require_party("tasks/a")


def test_records_name_the_party_and_not_the_person() -> None:
    assert Principal("ann", Role.BRAND, brand="acme").actor == "brands/acme"
    assert Principal("bob", Role.CREATOR, creator="bea").actor == "creators/bea"
    assert Principal("staff/mia", Role.MEDIATOR).actor == "staff/mia"
    assert Principal("platforms/counts", Role.PLATFORM).actor == "platforms/counts"
