"""What each process needs of others, as data: peers, database schema, buckets, Temporal, task
queues, external parties, listeners and secrets.

The embedded stack passes each process exactly this, and tests compare it with the settings classes.
A deployment must allow and provide the same; everything else can be denied to the process.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.task_queues import Domain, queue_of


@dataclass(frozen=True)
class Listener:
    """A TCP port that the process listens on. `variable` is the environment variable that holds
    the address, `port` the usual port."""

    name: str
    variable: str
    port: int
    # Whether it is called from outside of the platform.
    is_public: bool = False


@dataclass(frozen=True)
class Bucket:
    """A bucket of the object store. `variable` is the environment variable that holds its name."""

    name: str
    variable: str
    # Whether anyone may read an object whose key they know.
    is_publicly_readable: bool = False


@dataclass(frozen=True)
class ExternalParty:
    """A system outside of the platform that the process calls over HTTP. `variables` are the
    environment variables that hold its URLs."""

    name: str
    variables: tuple[str, ...]


@dataclass(frozen=True)
class Process:
    """One process and all it needs. Every process also serves gRPC health, verifies callers' tokens
    (LIAISON_AUTH_…) and may export traces and metrics (OTEL_…)."""

    name: str
    module: str
    listeners: tuple[Listener, ...]
    # The services it calls over gRPC, by process name.
    peers: tuple[str, ...] = ()
    # The Postgres schema that it reads and writes; no other process does.
    schema: str | None = None
    # Whether the schema belongs to a role other than the process's login, which then needs the
    # owner's URL as well in order to migrate it.
    has_schema_owner: bool = False
    buckets: tuple[Bucket, ...] = ()
    uses_temporal: bool = False
    # The Temporal task queues that it polls.
    task_queues: tuple[str, ...] = ()
    external_parties: tuple[ExternalParty, ...] = ()
    # Environment variables, or files in LIAISON_SECRETS_DIR, whose values are secret.
    secrets: tuple[str, ...] = ()

    @property
    def variables(self) -> frozenset[str]:
        """The environment variables that carry what is declared here."""
        names = {listener.variable for listener in self.listeners}
        names |= {address_variable(peer) for peer in self.peers}
        names |= {bucket.variable for bucket in self.buckets}
        names |= {variable for party in self.external_parties for variable in party.variables}
        names |= set(self.secrets)
        if self.peers:
            names.add("LIAISON_SERVICE_TOKEN_FILE")
        if self.buckets:
            names.add("LIAISON_OBJECT_STORE_ENDPOINT")
        if self.uses_temporal:
            names |= {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}
        return frozenset(names)


def address_variable(peer: str) -> str:
    return f"LIAISON_{peer.upper()}_ADDRESS"


def _listeners(grpc_port: int, metrics_port: int) -> tuple[Listener, ...]:
    return (
        Listener("grpc", "LIAISON_LISTEN_ADDRESS", grpc_port),
        Listener("metrics", "LIAISON_METRICS_ADDRESS", metrics_port),
    )


_DATABASE_URL = "LIAISON_DATABASE_URL"

PROCESSES = (
    Process(
        name="creators",
        module="services.creators",
        listeners=_listeners(15051, 9101),
        schema="creators",
        secrets=(_DATABASE_URL,),
    ),
    Process(
        name="tasks",
        module="services.tasks",
        listeners=_listeners(15052, 9102),
        peers=("creators", "media"),
        schema="tasks",
        uses_temporal=True,
        secrets=(_DATABASE_URL,),
    ),
    Process(
        name="media",
        module="services.media",
        listeners=_listeners(15053, 9103),
        peers=("creators", "tasks"),
        schema="media",
        buckets=(
            Bucket("media-quarantine", "LIAISON_MEDIA_QUARANTINE_BUCKET"),
            Bucket("media-accepted", "LIAISON_MEDIA_ACCEPTED_BUCKET"),
            Bucket("media-public", "LIAISON_MEDIA_PUBLIC_BUCKET", is_publicly_readable=True),
        ),
        uses_temporal=True,
        external_parties=(
            ExternalParty("product catalogue", ("LIAISON_MEDIA_CATALOGUE_URL",)),
            ExternalParty("social gateway", ("LIAISON_MEDIA_REPOST_URL",)),
        ),
        secrets=(
            _DATABASE_URL,
            "LIAISON_OBJECT_STORE_ACCESS_KEY",
            "LIAISON_OBJECT_STORE_SECRET_KEY",
            "LIAISON_MEDIA_REPOST_TOKEN",
        ),
    ),
    Process(
        name="payouts",
        module="services.payouts",
        listeners=(
            *_listeners(15054, 9104),
            Listener("webhook", "LIAISON_PAYPAL_WEBHOOK_LISTEN_ADDRESS", 8092, is_public=True),
        ),
        peers=("creators",),
        schema="payouts",
        has_schema_owner=True,
        uses_temporal=True,
        external_parties=(
            ExternalParty(
                "PayPal", ("LIAISON_PAYPAL_BASE_URL", "LIAISON_PAYPAL_CERTIFICATE_ORIGIN")
            ),
        ),
        secrets=(_DATABASE_URL, "LIAISON_DATABASE_OWNER_URL", "LIAISON_PAYPAL_CLIENT_SECRET"),
    ),
    Process(
        name="disputes",
        module="services.disputes",
        listeners=_listeners(15055, 9105),
        peers=("tasks",),
        schema="disputes",
        uses_temporal=True,
        secrets=(_DATABASE_URL,),
    ),
    Process(
        name="notifications",
        module="services.notifications",
        listeners=_listeners(15056, 9106),
        schema="notifications",
        secrets=(_DATABASE_URL,),
    ),
    Process(
        name="worker",
        module="workflows.worker",
        listeners=_listeners(15057, 9107),
        peers=("tasks", "media", "payouts", "disputes", "notifications"),
        uses_temporal=True,
        task_queues=tuple(queue_of(domain) for domain in Domain),
    ),
)

BY_NAME: Mapping[str, Process] = {process.name: process for process in PROCESSES}
