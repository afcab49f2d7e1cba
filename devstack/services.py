"""Our own processes: the six services, the worker, the PayPal sandbox, the storefront and the trace
viewer.

Each gets the addresses and secrets it needs and no others.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from devstack import database, identity, object_store
from devstack.database import SERVICES
from devstack.home import Home
from devstack.ports import Ports
from devstack.probes import grpc_health, tcp
from devstack.process import ProcessSpec
from devstack.temporal import NAMESPACE
from servicekit.creator_levels import LEVELS

WORKER = "worker"
WEBHOOK_PATH = "/webhooks/paypal"  # where payouts listens for PayPal's events


@dataclass(frozen=True)
class Surroundings:
    """What the environments are made from."""

    home: Home
    ports: Ports
    administrator_url: str  # of the database server, ours or another
    is_traced: bool


@dataclass(frozen=True)
class _Member:
    name: str
    needs: frozenset[str]
    own_env: Callable[[Surroundings], Mapping[str, str]] = lambda _: {}

    @property
    def module(self) -> str:
        return "workflows.worker" if self.name == WORKER else f"services.{self.name}"


def _for_tasks(_: Surroundings) -> dict[str, str]:
    return {"LIAISON_TASKS_OFFERED_POLICIES": "standard,accelerated"}


def _for_media(around: Surroundings) -> dict[str, str]:
    access_key, secret_key = object_store.credentials(around.home)
    return {
        "LIAISON_OBJECT_STORE_ENDPOINT": around.ports.address("s3"),
        "LIAISON_OBJECT_STORE_ACCESS_KEY": access_key,
        "LIAISON_OBJECT_STORE_SECRET_KEY": secret_key,
        "LIAISON_OBJECT_STORE_REGION": object_store.REGION,
        "LIAISON_OBJECT_STORE_TLS": "false",
        "LIAISON_MEDIA_CATALOGUE_URL": _storefront_url(around),
        "LIAISON_MEDIA_REPOST_URL": _storefront_url(around),
        "LIAISON_MEDIA_REPOST_TOKEN": around.home.secret("storefront-token"),
        # To be tried out by every creator (R94).
        "LIAISON_MEDIA_REPOST_LEVELS": ",".join(LEVELS),
    }


def _for_payouts(around: Surroundings) -> dict[str, str]:
    paypal = _paypal_url(around)
    return {
        "LIAISON_DATABASE_OWNER_URL": _database_url(around, database.owner("payouts")),
        "LIAISON_PAYPAL_BASE_URL": paypal,
        "LIAISON_PAYPAL_CLIENT_ID": around.home.secret("paypal-client-id"),
        "LIAISON_PAYPAL_CLIENT_SECRET": around.home.secret("paypal-client-secret"),
        "LIAISON_PAYPAL_WEBHOOK_ID": around.home.secret("paypal-webhook-id"),
        "LIAISON_PAYPAL_WEBHOOK_LISTEN_ADDRESS": around.ports.address("payouts-webhook"),
        "LIAISON_PAYPAL_CERTIFICATE_ORIGIN": paypal,
        # PayPal's own limit is not the sandbox's.
        "LIAISON_PAYPAL_POSTS_A_MINUTE": "60000",
    }


_DATABASE = frozenset({"postgres"})
_DATABASE_AND_RUNS = frozenset({"postgres", "temporal"})

FLEET = (
    _Member("creators", _DATABASE),
    _Member("tasks", _DATABASE_AND_RUNS, _for_tasks),
    _Member("media", frozenset({"postgres", "temporal", "s3", "storefront"}), _for_media),
    _Member("payouts", frozenset({"postgres", "temporal", "paypal"}), _for_payouts),
    _Member("disputes", _DATABASE_AND_RUNS),
    _Member("notifications", _DATABASE_AND_RUNS),
    _Member(WORKER, frozenset({"temporal"})),
)


def fleet(around: Surroundings) -> list[ProcessSpec]:
    return [_process(member, around) for member in FLEET]


def paypal_sandbox(home: Home, ports: Ports) -> ProcessSpec:
    address = ports.address("paypal")
    return ProcessSpec(
        name="paypal",
        address=address,
        argv=_python("devstack.paypal_sandbox"),
        env={
            "SANDBOX_ADDRESS": address,
            "SANDBOX_PUBLIC_URL": f"http://{address}",
            "SANDBOX_CLIENT_ID": home.secret("paypal-client-id"),
            "SANDBOX_CLIENT_SECRET": home.secret("paypal-client-secret"),
            "SANDBOX_WEBHOOK_ID": home.secret("paypal-webhook-id"),
            "SANDBOX_WEBHOOK_URL": f"http://{ports.address('payouts-webhook')}{WEBHOOK_PATH}",
            "SANDBOX_DATA_DIR": str(home.data("paypal")),
        },
        is_ready=tcp(address),
        stop_grace_seconds=5,
    )


def storefront(home: Home, ports: Ports) -> ProcessSpec:
    address = ports.address("storefront")
    return ProcessSpec(
        name="storefront",
        address=address,
        argv=_python("devstack.storefront"),
        env={
            "STOREFRONT_ADDRESS": address,
            "STOREFRONT_TOKEN": home.secret("storefront-token"),
            "STOREFRONT_DATA_DIR": str(home.data("storefront")),
        },
        is_ready=tcp(address),
        stop_grace_seconds=5,
    )


def trace_viewer(home: Home, ports: Ports) -> ProcessSpec:
    return ProcessSpec(
        name="traces",
        address=ports.address("traces"),
        argv=_python("devstack.trace_viewer"),
        env={
            "TRACE_VIEWER_OTLP_ADDRESS": ports.address("traces-otlp"),
            "TRACE_VIEWER_HTTP_ADDRESS": ports.address("traces"),
        },
        is_ready=tcp(ports.address("traces")),
        stop_grace_seconds=5,
    )


def _process(member: _Member, around: Surroundings) -> ProcessSpec:
    address = around.ports.address(member.name)
    is_worker = member.name == WORKER
    return ProcessSpec(
        name=member.name,
        address=address,
        argv=_python(member.module),
        env={**_common(member.name, around), **member.own_env(around)},
        is_ready=grpc_health(address),
        needs=member.needs,
        uses=frozenset({"traces", *(SERVICES if is_worker else ())}),
        stop_grace_seconds=30,  # longer than a server drains
    )


def _common(name: str, around: Surroundings) -> dict[str, str]:
    home, ports = around.home, around.ports
    env = {
        "LIAISON_LISTEN_ADDRESS": ports.address(name),
        "LIAISON_METRICS_ADDRESS": ports.address(f"{name}-metrics"),
        "LIAISON_AUTH_JWKS_FILE": str(home.jwks_file),
        "LIAISON_AUTH_ISSUER": identity.ISSUER,
        "LIAISON_AUTH_AUDIENCE": identity.AUDIENCE,
        "LIAISON_SERVICE_TOKEN_FILE": str(identity.service_token_file(home, name)),
        "TEMPORAL_ADDRESS": ports.address("temporal"),
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "OTEL_SERVICE_NAME": name,
    }
    env |= {f"LIAISON_{peer.upper()}_ADDRESS": ports.address(peer) for peer in SERVICES}
    if name in SERVICES:
        env["LIAISON_DATABASE_URL"] = _database_url(around, database.login(name))
    if around.is_traced:
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{ports.address('traces-otlp')}"
        env["OTEL_EXPORTER_OTLP_INSECURE"] = "true"
    return env


def _database_url(around: Surroundings, role: str) -> str:
    password = database.password(around.home, role)
    return database.role_url(around.administrator_url, database.DATABASE, role, password)


def _paypal_url(around: Surroundings) -> str:
    return f"http://{around.ports.address('paypal')}"


def _storefront_url(around: Surroundings) -> str:
    return f"http://{around.ports.address('storefront')}"


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module)
