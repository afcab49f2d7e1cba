"""TLS between services: mutual if the server has a client CA; plaintext on loopback only."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from devstack.access import Access
from servicekit.errors import Unavailable
from servicekit.rpc.client import service_channel
from servicekit.rpc.server import GrpcServer
from servicekit.settings import ClientSettings
from tests.support.serving import server_settings


@dataclass(frozen=True)
class Pair:
    certificate: Path
    private_key: Path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A self-signed certificate for the loopback address, which is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "liaison.test")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pair = Pair(folder / "certificate.pem", folder / "key.pem")
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.private_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pair


async def _check(access: Access, pair: Pair, **client: Path) -> HealthCheckResponse:
    settings = server_settings(access).model_copy(
        update={
            "tls_certificate_file": pair.certificate,
            "tls_private_key_file": pair.private_key,
            "tls_client_ca_file": pair.certificate,
        }
    )
    server = GrpcServer(settings, [], None)
    await server.start()
    try:
        caller = ClientSettings(service_token_file=access.home.secrets / "token-worker", **client)
        async with service_channel(caller, server.address) as channel:
            return await HealthStub(channel).Check(
                HealthCheckRequest(), timeout=2, wait_for_ready=False
            )
    finally:
        await server.stop()


async def test_a_caller_with_a_certificate_is_served(access: Access, pair: Pair) -> None:
    answer = await _check(
        access,
        pair,
        tls_ca_file=pair.certificate,
        tls_client_certificate_file=pair.certificate,
        tls_client_private_key_file=pair.private_key,
    )
    assert answer.status == HealthCheckResponse.SERVING


async def test_a_caller_without_a_certificate_is_refused(access: Access, pair: Pair) -> None:
    with pytest.raises(Unavailable):
        await _check(access, pair, tls_ca_file=pair.certificate)
    with pytest.raises(Unavailable):
        await _check(access, pair)


async def test_plaintext_is_refused_on_other_than_loopback_addresses(access: Access) -> None:
    settings = server_settings(access).model_copy(update={"listen_address": "0.0.0.0:0"})
    with pytest.raises(ValueError, match="plaintext is allowed on loopback only"):
        await GrpcServer(settings, [], None).start()
