"""What a process is told by its environment: the parts that several processes share.

Each service has its own settings class, made of these, and reads the environment nowhere else.
Secrets may also lie in files named after their variable, in the folder LIAISON_SECRETS_DIR. They
are read once: a secret that was changed is known after a restart.
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
    # Only a process that has a database pays for the import.
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(value.get_secret_value())
    except ProgrammingError:
        parts = {"port": "unreadable"}
    ports, hosts = str(parts.get("port") or ""), str(parts.get("host") or "")
    # What is left of a password with an unescaped character is found in one of these, and would
    # be in the driver's messages.
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
        # A refusal at the start would print what it was given, secrets among it.
        hide_input_in_errors=True,
    )

    otel_service_name: str = Field("liaison", validation_alias="OTEL_SERVICE_NAME")
    log_level: str = "INFO"
    metrics_address: Address | None = None


class ServerSettings(Settings):
    """A gRPC server's. Without a certificate it speaks plaintext, which is for loopback only; with
    a client CA, callers must show a certificate of their own."""

    listen_address: Address
    auth_jwks_file: Path
    auth_issuer: str
    auth_audience: str
    tls_certificate_file: Path | None = None
    tls_private_key_file: Path | None = None
    tls_client_ca_file: Path | None = None
    # Of a request; what is larger, such as an upload, goes to object storage.
    maximum_message_bytes: int = 1024 * 1024
    # Longer than any call's deadline, shorter than the pod's terminationGracePeriodSeconds.
    drain_seconds: float = 25.0


class DatabaseSettings(Settings):
    database_url: DatabaseUrl
    # Of who owns the schema, where the service's login does not: see
    # `servicekit.postgres.migrator`.
    database_owner_url: DatabaseUrl | None = None
    database_pool_size: int = 10


class ClientSettings(Settings):
    """For calling other services. Each process declares the addresses of those that it calls."""

    service_token_file: Path
    # Of the servers; without it, calls go out in plaintext.
    tls_ca_file: Path | None = None
    # This caller's own, where servers ask for one.
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
    # Where readers find the public buckets, such as a CDN's `https://media.example.com`; without it
    # at the endpoint itself.
    object_store_public_base_url: BaseUrl | None = None
