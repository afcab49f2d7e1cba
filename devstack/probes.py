"""How to see that a process is ready: TCP, HTTP and gRPC health. A probe answers quickly."""

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
    except OSError:  # a time-out is one too
        return False
    writer.close()
    return True


async def answers_http(url: str, *, refusal_will_do: bool) -> bool:
    """A refusal may do too: an object store refuses strangers as soon as it is up."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS) as client:
            status = (await client.get(url)).status_code
    except httpx.TransportError:
        return False
    return status < (500 if refusal_will_do else 400)


async def serves_grpc(address: str) -> bool:
    # A plain connection first: a failed gRPC one makes the next wait for its backoff.
    if not await accepts_tcp(address):
        return False
    async with grpc.aio.insecure_channel(address) as channel:
        # By hand, for the generated stub has no types.
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


def http(url: str, *, refusal_will_do: bool = False) -> Probe:
    return partial(answers_http, url, refusal_will_do=refusal_will_do)


def grpc_health(address: str) -> Probe:
    return partial(serves_grpc, address)
