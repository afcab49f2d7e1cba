"""Alerts on publications use metrics that exist, and each has a runbook entry."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/observability/media-alerts.yaml"
RULE_TESTS = ROOT / "deploy/observability/media-alerts.test.yaml"
RUNBOOK = ROOT / "docs/runbooks/media.md"

# In a process of its own: a meter provider is set once.
_SCRIPT = """
import asyncio
from datetime import timedelta
from opentelemetry import metrics as otel
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
otel.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
from prometheus_client import generate_latest
from servicekit.clock import utc_now
from servicekit.errors import Reason, Unavailable
from services.media.publications import metrics
from services.media.publications.domain import Channel, Publication
from tests.unit.workflows.samples import begun
from workflows.assignment.activities import AssignmentActivities
from workflows.assignment.model import PublishArticles
from workflows.assignment.inputs import RecordAssignment
class Failing:
    async def PublishApprovedArticles(self, request):
        raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "unavailable")
now = utc_now()
order = RecordAssignment(begun(), [], [], PublishArticles(["articles/a1/revisions/r1"], now))
asyncio.run(AssignmentActivities(*[Failing()] * 6).record_assignment(order))
waited = timedelta(minutes=4)
feed = Publication("a1", "r1", Channel.FEED, "anna", now - waited, now)
metrics.record_published(feed, now)
metrics.record_pending({Channel.FEED: (2, now - waited)}, now)
print("now", now.timestamp())
print(generate_latest().decode())
"""


@pytest.fixture(scope="module")
def metrics() -> str:
    done = subprocess.run(  # noqa: S603 - our own arguments only
        [sys.executable, "-c", _SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout


def value_of(metrics: str, name: str) -> float:
    (line,) = [line for line in metrics.splitlines() if line.startswith(name)]
    return float(line.rpartition(" ")[2])


def test_alerts_use_metrics_that_exist(metrics: str) -> None:
    named = set(
        re.findall(r"\b(?:media_publications|assignments_publication)_\w+", RULES.read_text())
    )
    assert named
    for name in named:
        assert re.search(rf"^{name}{{", metrics, re.MULTILINE), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ('media_publications_delay_seconds_bucket{channel="FEED",le="120",', 0.0),
        ('media_publications_delay_seconds_bucket{channel="FEED",le="300",', 1.0),  # R100
        ('media_publications_delay_seconds_bucket{channel="FEED",le="86400",', 1.0),  # R99
        ('media_publications_overdue_total{channel="VK",', 0.0),
        ('media_publications_pending{channel="FEED",', 2.0),
        ('media_publications_pending{channel="VK",', 0.0),
        ('media_publications_oldest_pending_time_seconds{channel="VK",', 0.0),
        ("assignments_publication_orders_delayed_total{", 1.0),
    ],
)
def test_metrics_show_whether_publications_are_on_time(
    metrics: str, name: str, value: float
) -> None:
    assert value_of(metrics, name) == value


def test_metrics_of_pending_publications_stay_correct_when_checks_fail(
    metrics: str,
) -> None:
    now = value_of(metrics, "now ")
    since = value_of(metrics, 'media_publications_oldest_pending_time_seconds{channel="FEED",')
    assert now - since == pytest.approx(240)
    last_check = value_of(metrics, "media_publications_last_check_time_seconds{")
    assert last_check == pytest.approx(now)


def test_each_alert_has_a_runbook_entry() -> None:
    rules = RULES.read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    anchors = re.findall(r"runbook: docs/runbooks/media.md#(\w+)", rules)
    headings = re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert alerts == headings
    assert anchors == [alert.lower() for alert in alerts]


def test_prometheus_takes_the_rules_and_they_fire_when_they_should() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH: it comes with Debian's package prometheus")
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(RULE_TESTS)]):
        done = subprocess.run(  # noqa: S603 - our own arguments only
            [promtool, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
