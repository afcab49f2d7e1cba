"""What each of our processes is told: all it needs, and nobody else's secrets."""

from pathlib import Path

import pytest

from devstack import database, identity
from devstack.home import Home
from devstack.ports import Ports
from devstack.process import ProcessSpec
from devstack.services import FLEET, Surroundings, fleet

ADMINISTRATOR_URL = "postgresql://postgres:superuser-secret@127.0.0.1:5432/postgres?sslmode=disable"


class FixedPorts(Ports):
    """Numbers in the order of asking, without looking at the machine."""

    def _reserve(self, port: int) -> bool:
        return True


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    identity.ensure_key(home)
    return home


@pytest.fixture
def processes(home: Home) -> dict[str, ProcessSpec]:
    around = Surroundings(home, FixedPorts(home), ADMINISTRATOR_URL, is_traced=True)
    return {process.name: process for process in fleet(around)}


def test_every_process_knows_every_service(processes: dict[str, ProcessSpec]) -> None:
    for process in processes.values():
        for service in database.SERVICES:
            assert process.env[f"LIAISON_{service.upper()}_ADDRESS"] == processes[service].address
        assert process.env["LIAISON_LISTEN_ADDRESS"] == process.address
        assert process.env["OTEL_SERVICE_NAME"] == process.name


def test_a_secret_is_given_to_one_process_alone(
    home: Home, processes: dict[str, ProcessSpec]
) -> None:
    for file in home.secrets.iterdir():
        secret = file.read_text()
        holders = [
            process.name for process in processes.values() if secret in str(dict(process.env))
        ]
        assert len(holders) <= 1, file.name
    assert "superuser-secret" not in str(processes)


def test_each_service_logs_in_as_itself(processes: dict[str, ProcessSpec]) -> None:
    for service in database.SERVICES:
        url = processes[service].env["LIAISON_DATABASE_URL"]
        assert url.startswith(f"postgresql://liaison_{service}:")
        assert url.endswith("@127.0.0.1:5432/liaison?sslmode=disable")
    assert "LIAISON_DATABASE_URL" not in processes["worker"].env


def test_the_ledger_is_owned_by_another_than_its_service(processes: dict[str, ProcessSpec]) -> None:
    (owned,) = (
        process for process in processes.values() if "LIAISON_DATABASE_OWNER_URL" in process.env
    )
    assert owned.name == "payouts"
    url = owned.env["LIAISON_DATABASE_OWNER_URL"]
    assert url.startswith("postgresql://liaison_payouts_owner:")


def test_the_object_store_is_for_media_and_paypal_for_payouts(
    processes: dict[str, ProcessSpec],
) -> None:
    def has(prefix: str) -> set[str]:
        return {
            process.name
            for process in processes.values()
            if any(n.startswith(prefix) for n in process.env)
        }

    assert has("LIAISON_OBJECT_STORE_") == {"media"}
    assert has("LIAISON_PAYPAL_") == {"payouts"}
    assert has("LIAISON_MEDIA_CATALOGUE_") == has("LIAISON_MEDIA_REPOST_") == {"media"}
    assert has("LIAISON_TASKS_OFFERED_POLICIES") == {"tasks"}


def test_nothing_is_traced_where_no_viewer_runs(home: Home) -> None:
    around = Surroundings(home, FixedPorts(home), ADMINISTRATOR_URL, is_traced=False)
    assert all("OTEL_EXPORTER_OTLP_ENDPOINT" not in process.env for process in fleet(around))


def test_the_fleet_is_the_six_services_and_the_worker() -> None:
    assert {member.name for member in FLEET} == {*database.SERVICES, "worker"}
