"""What a process needs is declared once: its settings class and its environment in the stack agree
with `services.processes`."""

from importlib import import_module
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from devstack import database, identity
from devstack.home import Home
from devstack.ports import Ports
from devstack.process import ProcessSpec
from devstack.services import Dependencies, services
from servicekit.settings import (
    ClientSettings,
    DatabaseSettings,
    ObjectStoreSettings,
    ServerSettings,
    TemporalSettings,
)
from services.creators.settings import CreatorsSettings
from services.disputes.settings import DisputesSettings
from services.media.settings import MediaSettings
from services.notifications.settings import NotificationsSettings
from services.payouts.settings import PayoutsSettings
from services.processes import BY_NAME, PROCESSES, Process, address_variable
from services.tasks.settings import TasksSettings
from workflows.task_queues import queue_of
from workflows.worker import WorkerSettings

ADMINISTRATOR_URL = "postgresql://postgres:superuser-secret@127.0.0.1:5432/postgres?sslmode=disable"

SETTINGS: dict[str, type[ServerSettings]] = {
    "creators": CreatorsSettings,
    "tasks": TasksSettings,
    "media": MediaSettings,
    "payouts": PayoutsSettings,
    "disputes": DisputesSettings,
    "notifications": NotificationsSettings,
    "worker": WorkerSettings,
}

# What every process gets, and what the stack configures differently from the defaults.
COMMON = {
    "LIAISON_AUTH_JWKS_FILE",
    "LIAISON_AUTH_ISSUER",
    "LIAISON_AUTH_AUDIENCE",
    "OTEL_SERVICE_NAME",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_INSECURE",
}
CONFIGURATION = {
    "tasks": {"LIAISON_TASKS_OFFERED_POLICIES"},
    "media": {
        "LIAISON_OBJECT_STORE_REGION",
        "LIAISON_OBJECT_STORE_TLS",
        "LIAISON_MEDIA_REPOST_LEVELS",
    },
    "payouts": {
        "LIAISON_PAYPAL_CLIENT_ID",
        "LIAISON_PAYPAL_WEBHOOK_ID",
        "LIAISON_PAYPAL_POSTS_A_MINUTE",
    },
}


class FixedPorts(Ports):
    """Reserves any port without asking the operating system."""

    def _reserve(self, port: int) -> bool:
        return True


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    identity.ensure_key(home)
    return home


@pytest.fixture
def specs(home: Home) -> dict[str, ProcessSpec]:
    dependencies = Dependencies(home, FixedPorts(home), ADMINISTRATOR_URL, is_traced=True)
    return {spec.name: spec for spec in services(dependencies)}


def _fields(settings: type[BaseSettings]) -> dict[str, object]:
    """The environment variable of each setting, with the setting's type."""
    return {
        str(field.validation_alias or f"LIAISON_{name.upper()}"): field.annotation
        for name, field in settings.model_fields.items()
    }


def _is_optional_owner_url(process: Process, variable: str) -> bool:
    """Every process with a database may be given its owner's URL; only some need it."""
    return variable == "LIAISON_DATABASE_OWNER_URL" and not process.has_schema_owner


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_settings_and_declaration_agree(process: Process) -> None:
    settings = SETTINGS[process.name]
    fields = _fields(settings)
    assert issubclass(settings, ClientSettings) == bool(process.peers)
    assert issubclass(settings, DatabaseSettings) == (process.schema is not None)
    assert issubclass(settings, TemporalSettings) == process.uses_temporal
    assert issubclass(settings, ObjectStoreSettings) == bool(process.buckets)
    assert process.variables <= fields.keys()
    peers = {each.name for each in PROCESSES if address_variable(each.name) in fields}
    assert peers == set(process.peers)
    secrets = {variable for variable, kind in fields.items() if "SecretStr" in str(kind)}
    assert {each for each in secrets if not _is_optional_owner_url(process, each)} == set(
        process.secrets
    )
    assert {each for each in fields if each.endswith("_BUCKET")} == {
        bucket.variable for bucket in process.buckets
    }
    listeners = {each for each in fields if each.endswith(("LISTEN_ADDRESS", "METRICS_ADDRESS"))}
    assert listeners == {listener.variable for listener in process.listeners}
    urls = {each for each in fields if each.endswith(("_URL", "_ORIGIN"))}
    outside = {each for party in process.external_parties for each in party.variables}
    assert {each for each in urls if "DATABASE" not in each and "PUBLIC" not in each} == outside


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_default_addresses_and_buckets_are_the_declared_ones(process: Process) -> None:
    fields = SETTINGS[process.name].model_fields
    for peer in process.peers:
        port = BY_NAME[peer].listeners[0].port
        assert fields[f"{peer}_address"].default == f"127.0.0.1:{port}"
    for bucket in process.buckets:
        name = bucket.variable.removeprefix("LIAISON_").lower()
        assert fields[name].default == bucket.name


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_the_stack_passes_exactly_what_is_declared(
    process: Process, specs: dict[str, ProcessSpec]
) -> None:
    env = specs[process.name].env
    assert env.keys() == process.variables | COMMON | CONFIGURATION.get(process.name, set())
    # Every variable is read, apart from those of OpenTelemetry's own SDK.
    unread = env.keys() - _fields(SETTINGS[process.name]).keys()
    assert unread == {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_INSECURE"}


def test_every_process_can_be_started_and_each_port_and_schema_is_one_process_s() -> None:
    for process in PROCESSES:
        module = import_module(process.module)
        assert hasattr(module, "__path__") or hasattr(module, "main")
        assert process.schema in (None, process.name)
        assert set(process.peers) < BY_NAME.keys()
    ports = [listener.port for process in PROCESSES for listener in process.listeners]
    assert len(set(ports)) == len(ports)


def test_every_task_queue_is_polled_by_the_worker_alone() -> None:
    polled = {process.name: process.task_queues for process in PROCESSES if process.task_queues}
    default = WorkerSettings.model_fields["worker_domains"].default
    assert polled == {"worker": tuple(queue_of(domain) for domain in default)}


def test_peers_are_reached_where_they_listen(specs: dict[str, ProcessSpec]) -> None:
    for process in PROCESSES:
        env = specs[process.name].env
        for peer in process.peers:
            assert env[address_variable(peer)] == specs[peer].address
        assert env["LIAISON_LISTEN_ADDRESS"] == specs[process.name].address
        assert env["OTEL_SERVICE_NAME"] == process.name


def test_a_secret_is_given_to_one_process_alone(home: Home, specs: dict[str, ProcessSpec]) -> None:
    for file in home.secrets.iterdir():
        secret = file.read_text()
        holders = [spec.name for spec in specs.values() if secret in str(dict(spec.env))]
        assert len(holders) <= 1, file.name
    assert "superuser-secret" not in str(specs)


def test_each_service_logs_in_as_itself(specs: dict[str, ProcessSpec]) -> None:
    for service in database.SERVICES:
        url = specs[service].env["LIAISON_DATABASE_URL"]
        assert url.startswith(f"postgresql://liaison_{service}:")
        assert url.endswith("@127.0.0.1:5432/liaison?sslmode=disable")
    assert "LIAISON_DATABASE_URL" not in specs["worker"].env


def test_the_ledger_is_owned_by_another_than_its_service(specs: dict[str, ProcessSpec]) -> None:
    (owned,) = (spec for spec in specs.values() if "LIAISON_DATABASE_OWNER_URL" in spec.env)
    assert owned.name == "payouts"
    url = owned.env["LIAISON_DATABASE_OWNER_URL"]
    assert url.startswith("postgresql://liaison_payouts_owner:")


def test_the_object_store_is_for_media_and_paypal_for_payouts(
    specs: dict[str, ProcessSpec],
) -> None:
    def has(prefix: str) -> set[str]:
        return {spec.name for spec in specs.values() if any(n.startswith(prefix) for n in spec.env)}

    assert has("LIAISON_OBJECT_STORE_") == {"media"}
    assert has("LIAISON_PAYPAL_") == {"payouts"}
    assert has("LIAISON_MEDIA_CATALOGUE_") == has("LIAISON_MEDIA_REPOST_") == {"media"}
    assert has("LIAISON_TASKS_OFFERED_POLICIES") == {"tasks"}


def test_only_servers_that_a_process_needs_are_started_before_it(
    specs: dict[str, ProcessSpec],
) -> None:
    assert {name: set(spec.needs) for name, spec in specs.items()} == {
        "creators": {"postgres"},
        "tasks": {"postgres", "temporal"},
        "media": {"postgres", "temporal", "s3", "storefront"},
        "payouts": {"postgres", "temporal", "paypal"},
        "disputes": {"postgres", "temporal"},
        "notifications": {"postgres"},
        "worker": {"temporal"},
    }


def test_nothing_is_traced_where_no_viewer_runs(home: Home) -> None:
    dependencies = Dependencies(home, FixedPorts(home), ADMINISTRATOR_URL, is_traced=False)
    assert all("OTEL_EXPORTER_OTLP_ENDPOINT" not in spec.env for spec in services(dependencies))


def test_the_processes_are_the_six_services_and_the_worker() -> None:
    assert {process.name for process in PROCESSES} == {*database.SERVICES, "worker"}
