"""What each of our processes is told: all it needs, and nobody else's secrets."""

from pathlib import Path

import pytest

from devstack import database, identity
from devstack.home import Home
from devstack.ports import Ports
from devstack.process import Part
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
def parts(home: Home) -> dict[str, Part]:
    around = Surroundings(home, FixedPorts(home), ADMINISTRATOR_URL, is_traced=True)
    return {part.name: part for part in fleet(around)}


def test_every_process_knows_every_service(parts: dict[str, Part]) -> None:
    for part in parts.values():
        for service in database.SERVICES:
            assert part.env[f"LIAISON_{service.upper()}_ADDRESS"] == parts[service].address
        assert part.env["LIAISON_LISTEN_ADDRESS"] == part.address
        assert part.env["OTEL_SERVICE_NAME"] == part.name


def test_a_secret_is_given_to_one_process_alone(home: Home, parts: dict[str, Part]) -> None:
    for file in home.secrets.iterdir():
        secret = file.read_text()
        holders = [part.name for part in parts.values() if secret in str(dict(part.env))]
        assert len(holders) <= 1, file.name
    assert "superuser-secret" not in str(parts)


def test_each_service_logs_in_as_itself(parts: dict[str, Part]) -> None:
    for service in database.SERVICES:
        url = parts[service].env["LIAISON_DATABASE_URL"]
        assert url.startswith(f"postgresql://liaison_{service}:")
        assert url.endswith("@127.0.0.1:5432/liaison?sslmode=disable")
    assert "LIAISON_DATABASE_URL" not in parts["worker"].env


def test_the_ledger_is_owned_by_another_than_its_service(parts: dict[str, Part]) -> None:
    (owned,) = (part for part in parts.values() if "LIAISON_DATABASE_OWNER_URL" in part.env)
    assert owned.name == "payouts"
    url = owned.env["LIAISON_DATABASE_OWNER_URL"]
    assert url.startswith("postgresql://liaison_payouts_owner:")


def test_the_object_store_is_for_media_and_paypal_for_payouts(parts: dict[str, Part]) -> None:
    def has(prefix: str) -> set[str]:
        return {part.name for part in parts.values() if any(n.startswith(prefix) for n in part.env)}

    assert has("LIAISON_OBJECT_STORE_") == {"media"}
    assert has("LIAISON_PAYPAL_") == {"payouts"}
    assert has("LIAISON_MEDIA_CATALOGUE_") == has("LIAISON_MEDIA_REPOST_") == {"media"}
    assert has("LIAISON_TASKS_OFFERED_POLICIES") == {"tasks"}


def test_nothing_is_traced_where_no_viewer_runs(home: Home) -> None:
    around = Surroundings(home, FixedPorts(home), ADMINISTRATOR_URL, is_traced=False)
    assert all("OTEL_EXPORTER_OTLP_ENDPOINT" not in part.env for part in fleet(around))


def test_the_fleet_is_the_six_services_and_the_worker() -> None:
    assert {member.name for member in FLEET} == {*database.SERVICES, "worker"}
