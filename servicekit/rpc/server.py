"""One builder for every gRPC server: interceptors, health, reflection, TLS and graceful drain."""

import asyncio
import gc
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as aio_health
from grpc_reflection.v1alpha import reflection

from servicekit.auth import TokenVerifier
from servicekit.postgres.database import Database
from servicekit.rpc.access import Access, rpcs_of
from servicekit.rpc.interceptors.auth import AuthInterceptor
from servicekit.rpc.interceptors.chain_cache import ChainCache
from servicekit.rpc.interceptors.errors import ErrorsInterceptor
from servicekit.rpc.interceptors.idempotency import IdempotencyInterceptor
from servicekit.rpc.interceptors.streams import StreamOpener, StreamWriter
from servicekit.rpc.interceptors.telemetry import TelemetryInterceptor
from servicekit.rpc.interceptors.validation import ValidationInterceptor
from servicekit.settings import ServerSettings

log = structlog.get_logger()

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True)
class Service:
    """A gRPC service with its servicer and access table."""

    descriptor: ServiceDescriptor
    register: Callable[[Any, grpc.aio.Server], None]
    servicer: object
    access: Mapping[str, Access]


class GrpcServer:
    """Serves services on one port. `address` is set by `start`."""

    def __init__(
        self, settings: ServerSettings, services: Sequence[Service], database: Database | None
    ) -> None:
        self._settings = settings
        self._health = aio_health.HealthServicer()
        rpcs = {
            path: rpc
            for service in services
            for path, rpc in rpcs_of(service.descriptor, service.access).items()
        }
        verifier = TokenVerifier(
            settings.auth_jwks_file, settings.auth_issuer, settings.auth_audience
        )
        # The order, and why, is stated in servicekit.rpc.interceptors.
        interceptors: list[grpc.aio.ServerInterceptor] = [
            ChainCache(),
            StreamOpener(rpcs),
            TelemetryInterceptor(rpcs),
            ErrorsInterceptor(rpcs),
            AuthInterceptor(rpcs, verifier),
            ValidationInterceptor(rpcs),
        ]
        if database is not None:
            interceptors.append(IdempotencyInterceptor(rpcs, database))
        self._streams = StreamWriter(rpcs)
        interceptors.append(self._streams)
        self._server = grpc.aio.server(
            interceptors=interceptors,
            options=[
                ("grpc.max_receive_message_length", settings.maximum_message_bytes),
                ("grpc.so_reuseport", 0),
                # A stream may be idle for days: pings detect dead callers, and callers may ping,
                # too.
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
            ],
        )
        for service in services:
            service.register(service.servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            [
                *(service.descriptor.full_name for service in services),
                health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
                reflection.SERVICE_NAME,
            ],
            self._server,
        )
        self.address = ""

    async def start(self) -> None:
        address = self._settings.listen_address
        credentials = _tls(self._settings)
        host = address.rpartition(":")[0]
        if credentials is None and host not in _LOOPBACK:
            raise ValueError(
                f"plaintext is allowed on loopback only, not on {host}: configure a certificate"
            )
        port = (
            self._server.add_secure_port(address, credentials)
            if credentials
            else self._server.add_insecure_port(address)
        )
        self.address = f"{host}:{port}"
        await self._server.start()
        # Objects created so far live as long as the process: exempt them from garbage collection.
        gc.collect()
        gc.freeze()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        log.info("serving", address=self.address)

    async def stop(self) -> None:
        """Reports NOT_SERVING, ends streams, lets open calls finish for `drain_seconds`, then
        cancels the rest, such as streams whose caller does not read."""
        await self._health.enter_graceful_shutdown()
        self._streams.drain()
        await self._server.stop(self._settings.drain_seconds)

    async def serve_until_stopped(self) -> None:
        """Serves until SIGTERM or SIGINT, which may arrive during the start."""
        stop_requested = handle_stop_signals()
        await self.start()
        await stop_requested.wait()
        log.info("draining")
        await self.stop()


def handle_stop_signals() -> asyncio.Event:
    """Returns an event that SIGTERM or SIGINT sets, instead of ending the process."""
    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop_requested.set)
    return stop_requested


def _tls(settings: ServerSettings) -> grpc.ServerCredentials | None:
    """Mutual TLS if a client CA is configured, TLS if a certificate is, otherwise None."""
    if settings.tls_certificate_file is None or settings.tls_private_key_file is None:
        return None
    client_ca = settings.tls_client_ca_file
    return grpc.ssl_server_credentials(
        [(settings.tls_private_key_file.read_bytes(), settings.tls_certificate_file.read_bytes())],
        root_certificates=client_ca.read_bytes() if client_ca else None,
        require_client_auth=client_ca is not None,
    )
