"""The choice of a stack's object store."""

from pathlib import Path

import pytest

from devstack import object_store
from devstack.home import Home
from devstack.object_store import SERVER_VARIABLE, chosen_server
from devstack.supervisor import ProcessFailed


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv(SERVER_VARIABLE, raising=False)
    return Home(tmp_path)


@pytest.fixture
def minio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "minio_binary", lambda: "/usr/bin/minio")


@pytest.fixture
def no_minio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "minio_binary", lambda: None)


def keep_something(home: Home, name: str) -> None:
    (home.data(name) / "objects").touch()


@pytest.mark.usefixtures("minio")
def test_a_new_home_prefers_minio(home: Home) -> None:
    assert chosen_server(home) == "minio"


@pytest.mark.usefixtures("minio")
def test_a_home_stays_with_the_server_that_has_its_objects(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_something(home, "s3")
    assert chosen_server(home) == "seaweedfs"
    monkeypatch.setenv(SERVER_VARIABLE, "minio")
    assert chosen_server(home) == "minio"


@pytest.mark.usefixtures("minio")
def test_where_both_have_objects_it_is_minio(home: Home) -> None:
    keep_something(home, "s3")
    keep_something(home, "minio")
    assert chosen_server(home) == "minio"


@pytest.mark.usefixtures("no_minio")
def test_objects_in_a_missing_minio_are_not_ignored(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen_server(home) == "seaweedfs"
    keep_something(home, "minio")
    with pytest.raises(ProcessFailed, match="make minio"):
        chosen_server(home)
    monkeypatch.setenv(SERVER_VARIABLE, "seaweedfs")
    assert chosen_server(home) == "seaweedfs"


@pytest.mark.usefixtures("no_minio")
@pytest.mark.parametrize(("named", "says"), [("minio", "make minio"), ("ceph", "not ceph")])
def test_an_unavailable_server_is_reported_in_one_line(
    home: Home, monkeypatch: pytest.MonkeyPatch, named: str, says: str
) -> None:
    monkeypatch.setenv(SERVER_VARIABLE, named)
    with pytest.raises(ProcessFailed, match=says) as caught:
        chosen_server(home)
    assert len(str(caught.value).splitlines()) == 1
