"""Settings that several processes share, read from environment variables.

Each process combines these classes into one of its own and reads the environment nowhere else.
Secrets may also be files named after their variable in the folder LIAISON_SECRETS_DIR. They are
read once: a changed secret takes effect after a restart.
"""

import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError("must look like host:port")
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("must look like https://host or https://host/path")
    return value.rstrip("/")


def _database_url(value: SecretStr) -> SecretStr:
    # Imported here, since not every process uses Postgres.
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(value.get_secret_value())
    except ProgrammingError:
        parts = {"port": "unreadable"}
    ports, hosts = str(parts.get("port") or ""), str(parts.get("host") or "")
    # With an unescaped character in the password, a part of it ends up in one of these, and would
    # appear in the driver's messages.
    if "@" in hosts or not all(port.isdigit() for port in ports.split(",") if port):
        raise ValueError(
            "must look like postgresql://user:password@host:port/database, percent-encoded"
        ) from None
    return value


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
Address = Annotated[str, AfterValidator(_address)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="LIAISON_",
        secrets_dir=os.environ.get("LIAISON_SECRETS_DIR"),
        extra="ignore",
        # A validation error at startup would otherwise print its input, secrets included.
        hide_input_in_errors=True,
    )

    otel_service_name: str = Field("liaison", validation_alias="OTEL_SERVICE_NAME")
    log_level: str = "INFO"
    metrics_address: Address | None = None


class ServerSettings(Settings):
    """Settings of a gRPC server. Without a certificate it serves plaintext, on loopback addresses
    only; with a client CA, it requires client certificates (mutual TLS)."""

    listen_address: Address
    auth_jwks_file: Path
    auth_issuer: str
    auth_audience: str
    tls_certificate_file: Path | None = None
    tls_private_key_file: Path | None = None
    tls_client_ca_file: Path | None = None
    # Limit of a request; larger content, such as an upload, goes to object storage.
    maximum_message_bytes: int = 1024 * 1024
    # How long calls may finish at shutdown: longer than any call's deadline, shorter than the pod's
    # terminationGracePeriodSeconds.
    drain_seconds: float = 25.0


class DatabaseSettings(Settings):
    database_url: DatabaseUrl
    # The URL of the schema's owner, if that is not the service's login: see
    # `servicekit.postgres.migrator`.
    database_owner_url: DatabaseUrl | None = None
    database_pool_size: int = 10


class ClientSettings(Settings):
    """For calling other services. Each process declares the addresses of those that it calls."""

    service_token_file: Path
    # The CA of the servers; without it, calls are in plaintext.
    tls_ca_file: Path | None = None
    # The client certificate, for servers that require one.
    tls_client_certificate_file: Path | None = None
    tls_client_private_key_file: Path | None = None


class TemporalSettings(Settings):
    temporal_address: Address = Field("127.0.0.1:7233", validation_alias="TEMPORAL_ADDRESS")
    temporal_namespace: str = Field("default", validation_alias="TEMPORAL_NAMESPACE")


class ObjectStoreSettings(Settings):
    object_store_endpoint: Address
    object_store_access_key: SecretStr
    object_store_secret_key: SecretStr
    object_store_region: str = "us-east-1"
    object_store_tls: bool = True
    # Where readers find the public buckets, such as a CDN's `https://media.example.com`; by default
    # at the endpoint itself.
    object_store_public_base_url: BaseUrl | None = None
