"""Readiness probes: TCP, HTTP and gRPC health. A probe returns within seconds."""

import asyncio
from functools import partial

import grpc
import httpx
from grpc_health.v1 import health_pb2

from devstack.process import Probe

_TIMEOUT_SECONDS = 2.0


async def accepts_tcp(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(host, int(port))
    except OSError:  # includes TimeoutError
        return False
    writer.close()
    return True


async def answers_http(url: str, *, accept_client_errors: bool) -> bool:
    """Whether the URL answers with success, or with a 4xx status if that is accepted, as from an
    object store that needs credentials."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS) as client:
            status = (await client.get(url)).status_code
    except httpx.TransportError:
        return False
    return status < (500 if accept_client_errors else 400)


async def serves_grpc(address: str) -> bool:
    # TCP first: after a failed gRPC connection, the next one waits for its backoff.
    if not await accepts_tcp(address):
        return False
    async with grpc.aio.insecure_channel(address) as channel:
        # Not with the generated stub, which is untyped.
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError:
            return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING


def tcp(address: str) -> Probe:
    return partial(accepts_tcp, address)


def http(url: str, *, accept_client_errors: bool = False) -> Probe:
    return partial(answers_http, url, accept_client_errors=accept_client_errors)


def grpc_health(address: str) -> Probe:
    return partial(serves_grpc, address)
