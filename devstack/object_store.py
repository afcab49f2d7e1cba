"""The object store: MinIO if it has been built (`make minio`), else SeaweedFS (`weed mini`) from a
wheel.

Each has its own data directory and cannot read the other's, so a data directory stays with the
server that it began with.
"""

import asyncio
import json
import os
import shutil
from functools import partial
from typing import Literal

import httpx
import urllib3
from minio import Minio
from minio.error import S3Error

from devstack.home import SITE_PACKAGES_BIN, Home
from devstack.ports import LOOPBACK, Ports
from devstack.probes import http
from devstack.process import Probe, ProcessSpec
from devstack.supervisor import ProcessFailed
from services.processes import PROCESSES

Server = Literal["minio", "seaweedfs"]

SERVER_VARIABLE = "LIAISON_S3_SERVER"
# The data directory of each server.
_DATA: dict[Server, str] = {"minio": "minio", "seaweedfs": "s3"}
REGION = "us-east-1"
_BUCKETS = tuple(bucket for process in PROCESSES for bucket in process.buckets)
BUCKETS = tuple(bucket.name for bucket in _BUCKETS)

_ACCESS_KEY, _SECRET_KEY = "s3-access-key", "s3-secret-key"
# About 6 s in all, with the waits between them: a store may answer before it can write.
_PROVISION_ATTEMPTS = 8
_WEED_PORTS = ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "admin")


def minio_binary() -> str | None:
    """The path of MinIO, in the virtualenv (`make minio`) or on PATH; None if it is missing."""
    places = (str(SITE_PACKAGES_BIN), os.environ.get("PATH", os.defpath))
    return shutil.which("minio", path=os.pathsep.join(places))


def chosen_server(home: Home) -> Server:
    """The server that LIAISON_S3_SERVER names, else the one with data in this home, else MinIO if
    it is installed.

    Raises:
        ProcessFailed: the server is not installed, or the name is unknown.
    """
    match os.environ.get(SERVER_VARIABLE, ""):
        case "seaweedfs":
            return "seaweedfs"
        case "minio":
            if minio_binary() is None:
                raise ProcessFailed(
                    f"{SERVER_VARIABLE}=minio, but minio is missing: run `make minio`"
                )
            return "minio"
        case "":
            return _usual_server(home)
        case other:
            raise ProcessFailed(f"{SERVER_VARIABLE} must be minio or seaweedfs, not {other}")


def _usual_server(home: Home) -> Server:
    used = {server for server, name in _DATA.items() if any(home.data(name).iterdir())}
    if minio_binary():
        return "seaweedfs" if used == {"seaweedfs"} else "minio"
    if used == {"minio"}:
        raise ProcessFailed(
            f"the objects here are in MinIO, which is missing: run `make minio`, or start without"
            f" them with {SERVER_VARIABLE}=seaweedfs"
        )
    return "seaweedfs"


def object_store(home: Home, ports: Ports) -> ProcessSpec:
    server = chosen_server(home)
    argv, env = _minio(home, ports) if server == "minio" else _seaweedfs(home, ports)
    answers = http(f"http://{ports.address('s3')}/", accept_client_errors=True)
    return ProcessSpec(
        name="s3",
        address=ports.address("s3"),
        argv=argv,
        env=env,
        is_ready=answers if server == "minio" else partial(_seaweedfs_is_ready, answers, ports),
        provision=partial(_create_buckets, home, ports.address("s3")),
    )


def credentials(home: Home) -> tuple[str, str]:
    """The access key and the secret key."""
    return home.secret(_ACCESS_KEY), home.secret(_SECRET_KEY)


def _minio(home: Home, ports: Ports) -> tuple[tuple[str, ...], dict[str, str]]:
    access_key, secret_key = credentials(home)
    argv = (
        minio_binary() or "minio",
        "server",
        f"--address={ports.address('s3')}",
        f"--console-address={ports.address('s3-console')}",
        str(home.data(_DATA["minio"])),
    )
    return argv, {
        "MINIO_ROOT_USER": access_key,
        "MINIO_ROOT_PASSWORD": secret_key,
        "MINIO_REGION": REGION,
        "MINIO_UPDATE": "off",
    }


def _seaweedfs(home: Home, ports: Ports) -> tuple[tuple[str, ...], dict[str, str]]:
    access_key, secret_key = credentials(home)
    inner = []
    for name in _WEED_PORTS:
        server, _, kind = name.partition(".")
        flag = f"-{server}.port.{kind}" if kind else f"-{server}.port"
        inner.append(f"{flag}={ports.port(f's3-{name}')}")
    argv = (
        str(SITE_PACKAGES_BIN / "weed"),
        "-logtostderr=true",
        "mini",
        f"-dir={home.data(_DATA['seaweedfs'])}",
        f"-ip={LOOPBACK}",
        f"-ip.bind={LOOPBACK}",  # its default is every interface
        "-master.telemetry=false",  # its default is on
        # Otherwise the volumes may ask for a leader before one is elected, and then wait for 5 s.
        # The master learns its state again from the volumes.
        "-master.resumeState=false",
        "-webdav=false",
        "-admin.ui=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
        "-volume.preStopSeconds=0",
        f"-s3.port={ports.port('s3')}",
        f"-s3.port.grpc={ports.port('s3-grpc')}",
        # Its worker expects the admin server at this port, whatever the flag says.
        f"-admin.port.grpc={ports.port('s3-admin.grpc', ports.port('s3-admin') + 10_000)}",
        *inner,
    )
    return argv, {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}


async def _seaweedfs_is_ready(answers: Probe, ports: Ports) -> bool:
    """Whether a volume has joined: the gateway answers before, but then every object is missing."""
    if not await answers():
        return False
    async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
        try:
            status = await client.get(f"http://{ports.address('s3-master')}/dir/status")
        except httpx.TransportError:
            return False
    return bool(status.json().get("Topology", {}).get("DataCenters"))


async def _create_buckets(home: Home, address: str) -> None:
    access_key, secret_key = credentials(home)
    retries = urllib3.Retry(
        total=_PROVISION_ATTEMPTS, backoff_factor=0.05, status_forcelist=[500, 502, 503, 504]
    )
    client = Minio(
        address,
        access_key=access_key,
        secret_key=secret_key,
        secure=False,
        region=REGION,
        http_client=urllib3.PoolManager(retries=retries),
    )
    for bucket in _BUCKETS:
        await asyncio.to_thread(_ensure_bucket, client, bucket.name)
        if bucket.is_publicly_readable:
            policy = json.dumps(_public_read(bucket.name))
            await asyncio.to_thread(client.set_bucket_policy, bucket.name, policy)


def _public_read(bucket: str) -> dict[str, object]:
    """A policy: anyone may read an object whose key they know; nobody may list, write or remove
    without credentials."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }


def _ensure_bucket(client: Minio, bucket: str) -> None:
    try:
        client.make_bucket(bucket)
    except S3Error as error:
        if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise
