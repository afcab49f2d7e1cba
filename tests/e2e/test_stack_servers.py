"""The real servers: persistence, access control, listening addresses and crashes."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
import pytest_asyncio
import urllib3
from minio import Minio
from minio.error import S3Error

from devstack.home import Home
from devstack.stack import Stack
from devstack.state import AlreadyRunning
from workflows.temporal.search_attributes import SEARCH_ATTRIBUTES

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROCESSES = ("temporal", "postgres", "s3")
BUCKET = "media-accepted"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    home = Home(tmp_path_factory.mktemp("stack") / "home")
    async with Stack(home, processes=PROCESSES, durable=False) as stack:
        yield stack


async def test_data_survives_a_stop_and_a_start(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    async with Stack(home, processes=PROCESSES) as first:
        await _run_sql(first, "tasks", "CREATE TABLE kept AS SELECT 42 AS answer")
        await asyncio.to_thread(_write_object, first)
        await _start_workflow(first)
        addresses = first.access.addresses
    async with Stack(home, processes=PROCESSES) as second:
        assert second.access.addresses == addresses
        assert await _run_sql(second, "tasks", "SELECT answer FROM kept") == 42
        assert await asyncio.to_thread(_read_object, second) == b"kept"
        assert await _workflow_status(second) == "WORKFLOW_EXECUTION_STATUS_RUNNING"


async def test_each_server_needs_credentials_and_listens_on_loopback_only(stack: Stack) -> None:
    await _run_sql(stack, "creators", "CREATE TABLE secret AS SELECT 1 AS answer")
    for statement in ("SELECT answer FROM creators.secret", "CREATE TABLE payouts.stray (x int)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await _run_sql(stack, "tasks", statement)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await _run_sql(stack, "tasks", "CREATE TABLE public.stray (x int)")
    for client in (_s3(stack, None), _s3(stack, ("stranger", "stranger-secret"))):
        with pytest.raises(S3Error, match=r"Access Denied|does not exist in our records"):
            await asyncio.to_thread(client.get_object, BUCKET, "any")
    for status in stack.statuses:
        assert _listening_hosts(status.pid) - {"::1"} == {"127.0.0.1"}  # MinIO listens on both


async def test_operators_find_the_search_attributes(stack: Stack) -> None:
    url = f"{_temporal_api(stack)}/search-attributes"
    async with httpx.AsyncClient(trust_env=False) as client:
        found = (await client.get(url)).json()["customAttributes"]
    assert set(SEARCH_ATTRIBUTES) <= set(found)


async def test_killed_servers_restart_with_their_data(stack: Stack) -> None:
    await _run_sql(stack, "tasks", "CREATE TABLE kept AS SELECT 42 AS answer")
    await asyncio.to_thread(_write_object, stack)
    await _start_workflow(stack)
    killed = {status.name: status.pid for status in stack.statuses}
    for pid in killed.values():
        psutil.Process(pid).kill()
    await _eventually(
        lambda: all(
            status.condition == "ready" and status.pid != killed[status.name]
            for status in stack.statuses
        )
    )
    assert await _run_sql(stack, "tasks", "SELECT answer FROM kept") == 42
    assert await asyncio.to_thread(_read_object, stack) == b"kept"
    assert await _workflow_status(stack) == "WORKFLOW_EXECUTION_STATUS_RUNNING"


async def test_a_second_stack_needs_its_own_directory(stack: Stack, tmp_path: Path) -> None:
    """In the same directory it is refused, with the addresses; in another it takes other ports."""
    with pytest.raises(AlreadyRunning) as refusal:
        await Stack(stack.home, processes=PROCESSES).start()
    assert refusal.value.state is not None
    assert refusal.value.state.addresses == stack.access.addresses
    other = Home(tmp_path / "other")
    async with Stack(other, processes={"s3"}, durable=False) as neighbour:
        assert neighbour.access.addresses["s3"] != stack.access.addresses["s3"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop root")
async def test_postgres_runs_as_nobody_below_a_directory_only_root_may_enter(stack: Stack) -> None:
    assert stack.home.path.stat().st_mode & 0o777 == 0o700
    server = next(status for status in stack.statuses if status.name == "postgres")
    assert psutil.Process(server.pid).uids() == (65534, 65534, 65534)


async def _eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - it polls processes, which set no event
            await asyncio.sleep(0.05)


async def _run_sql(stack: Stack, service: str, statement: str) -> object:
    async with await psycopg.AsyncConnection.connect(
        stack.access.service_url(service)
    ) as connection:
        cursor = await connection.execute(statement.encode())
        row = await cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def _s3(stack: Stack, credentials: tuple[str, str] | None) -> Minio:
    access_key, secret_key = credentials or (None, None)
    return Minio(
        stack.access.addresses["s3"],
        access_key=access_key,
        secret_key=secret_key,
        secure=False,
        region="us-east-1",
        http_client=urllib3.PoolManager(retries=False),
    )


def _write_object(stack: Stack) -> None:
    client = _s3(stack, stack.access.object_store_credentials)
    client.put_object(BUCKET, "kept", io.BytesIO(b"kept"), 4)


def _read_object(stack: Stack) -> bytes:
    client = _s3(stack, stack.access.object_store_credentials)
    response = client.get_object(BUCKET, "kept")
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def _temporal_api(stack: Stack) -> str:
    return f"http://{stack.access.addresses['temporal-http']}/api/v1/namespaces/default"


async def _start_workflow(stack: Stack) -> None:
    request = {"workflowType": {"name": "Any"}, "taskQueue": {"name": "nobody"}}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{_temporal_api(stack)}/workflows/kept", json=request)
        answer.raise_for_status()


async def _workflow_status(stack: Stack) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{_temporal_api(stack)}/workflows/kept")
        return str(answer.raise_for_status().json()["workflowExecutionInfo"]["status"])


def _listening_hosts(pid: int | None) -> set[str]:
    connections = psutil.Process(pid).net_connections("inet")
    return {
        connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN
    }
