"""The platform's own processes in the embedded stack: the six services and the worker, with the
PayPal sandbox, the storefront and the trace viewer beside them.

Each process gets what `services.processes` declares for it, and no other address or secret.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from devstack import database, identity, object_store
from devstack.home import Home
from devstack.ports import Ports, port_name
from devstack.probes import grpc_health, tcp
from devstack.process import ProcessSpec
from devstack.temporal import NAMESPACE
from servicekit.creator_levels import LEVELS
from services.processes import PROCESSES, Process, address_variable

WORKER = "worker"
WEBHOOK_PATH = "/webhooks/paypal"  # where payouts listens for PayPal's events

# The process of the stack that stands for an external party.
_STAND_INS = {"PayPal": "paypal", "product catalogue": "storefront", "social gateway": "storefront"}


@dataclass(frozen=True)
class Dependencies:
    """What the environments of processes are derived from."""

    home: Home
    ports: Ports
    administrator_url: str  # of the database server, the stack's own or another
    is_traced: bool


def services(dependencies: Dependencies) -> list[ProcessSpec]:
    """The six services and the worker."""
    return [_service(process, dependencies) for process in PROCESSES]


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


def _service(process: Process, dependencies: Dependencies) -> ProcessSpec:
    address = dependencies.ports.address(process.name)
    # Services call each other in both directions, so only the worker can stop before its peers do.
    peers = process.peers if process.name == WORKER else ()
    return ProcessSpec(
        name=process.name,
        address=address,
        argv=_python(process.module),
        env=_environment(process, dependencies),
        is_ready=grpc_health(address),
        needs=_needs(process),
        uses=frozenset({"traces", *peers}),
        stop_grace_seconds=30,  # longer than a server drains
    )


def _needs(process: Process) -> frozenset[str]:
    """The servers that must be ready first."""
    needs = {_STAND_INS[party.name] for party in process.external_parties}
    if process.schema:
        needs.add("postgres")
    if process.uses_temporal:
        needs.add("temporal")
    if process.buckets:
        needs.add("s3")
    return frozenset(needs)


def _environment(process: Process, dependencies: Dependencies) -> Mapping[str, str]:
    """What is declared for the process, what every process gets, and what the stack configures
    differently from the defaults."""
    offered = {
        **_addresses(process, dependencies),
        **_credentials(process, dependencies),
    }
    return {
        **{variable: offered[variable] for variable in process.variables},
        **_common(process, dependencies),
        **_configuration(process, dependencies.home),
    }


def _addresses(process: Process, dependencies: Dependencies) -> dict[str, str]:
    ports = dependencies.ports
    addresses = {
        "TEMPORAL_ADDRESS": ports.address("temporal"),
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "LIAISON_OBJECT_STORE_ENDPOINT": ports.address("s3"),
    }
    for listener in process.listeners:
        addresses[listener.variable] = ports.address(port_name(process, listener))
    for peer in process.peers:
        addresses[address_variable(peer)] = ports.address(peer)
    for party in process.external_parties:
        url = f"http://{ports.address(_STAND_INS[party.name])}"
        addresses |= dict.fromkeys(party.variables, url)
    return addresses


def _credentials(process: Process, dependencies: Dependencies) -> dict[str, str]:
    home = dependencies.home
    credentials = {bucket.variable: bucket.name for bucket in process.buckets}
    if process.peers:
        token_file = identity.service_token_file(home, process.name)
        credentials["LIAISON_SERVICE_TOKEN_FILE"] = str(token_file)
    if process.schema:
        login, owner = database.login(process.schema), database.owner(process.schema)
        credentials["LIAISON_DATABASE_URL"] = _database_url(dependencies, login)
        credentials["LIAISON_DATABASE_OWNER_URL"] = _database_url(dependencies, owner)
    access_key, secret_key = object_store.credentials(home)
    return credentials | {
        "LIAISON_OBJECT_STORE_ACCESS_KEY": access_key,
        "LIAISON_OBJECT_STORE_SECRET_KEY": secret_key,
        "LIAISON_MEDIA_REPOST_TOKEN": home.secret("storefront-token"),
        "LIAISON_PAYPAL_CLIENT_SECRET": home.secret("paypal-client-secret"),
    }


def _common(process: Process, dependencies: Dependencies) -> dict[str, str]:
    env = {
        "LIAISON_AUTH_JWKS_FILE": str(dependencies.home.jwks_file),
        "LIAISON_AUTH_ISSUER": identity.ISSUER,
        "LIAISON_AUTH_AUDIENCE": identity.AUDIENCE,
        "OTEL_SERVICE_NAME": process.name,
    }
    if dependencies.is_traced:
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{dependencies.ports.address('traces-otlp')}"
        env["OTEL_EXPORTER_OTLP_INSECURE"] = "true"
    return env


def _configuration(process: Process, home: Home) -> dict[str, str]:
    match process.name:
        case "tasks":
            return {"LIAISON_TASKS_OFFERED_POLICIES": "standard,accelerated"}
        case "media":
            return {
                "LIAISON_OBJECT_STORE_REGION": object_store.REGION,
                "LIAISON_OBJECT_STORE_TLS": "false",
                # Every creator may try reposting (R94).
                "LIAISON_MEDIA_REPOST_LEVELS": ",".join(LEVELS),
            }
        case "payouts":
            return {
                "LIAISON_PAYPAL_CLIENT_ID": home.secret("paypal-client-id"),
                "LIAISON_PAYPAL_WEBHOOK_ID": home.secret("paypal-webhook-id"),
                # The sandbox does not have PayPal's rate limit.
                "LIAISON_PAYPAL_POSTS_A_MINUTE": "60000",
            }
        case _:
            return {}


def _database_url(dependencies: Dependencies, role: str) -> str:
    password = database.password(dependencies.home, role)
    return database.role_url(dependencies.administrator_url, database.DATABASE, role, password)


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module)
