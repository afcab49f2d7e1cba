"""The alerts about payouts use existing metrics, and each has a section in the runbook."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/observability/payouts-alerts.yaml"
RULE_TESTS = ROOT / "deploy/observability/payouts-alerts.test.yaml"
RUNBOOK = ROOT / "docs/runbooks/payouts.md"

# Runs in a process of its own: a meter provider can be set only once.
_EXPORT = """
from opentelemetry import metrics as otel
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
otel.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
from prometheus_client import generate_latest
from servicekit.clock import utc_now
from services.payouts.monitoring import metrics
from services.payouts.attempts import AttemptState
from services.payouts.domain import State
from workflows.payout.providers import ProviderName
from services.payouts.ledger.store import Drift
from services.payouts.monitoring.queries import LastReconciliation, Waiting
from services.payouts.kill_switch.handlers import Cause, Event, EventKind
now = utc_now()
metrics.ledger_checked([Drift("USD", -7, 5)], now)
metrics.payouts_checked(
    {State.SENT: Waiting(3, now)},
    {AttemptState.UNKNOWN: Waiting(2, now)},
    [Event(EventKind.HALT, Cause.MISMATCH, "1 mismatch", "system", now)],
    {ProviderName.PAYPAL: LastReconciliation(now, 4)},
    now,
)
metrics.rejected()
print(generate_latest().decode())
"""


@pytest.fixture(scope="module")
def exported() -> str:
    done = subprocess.run(  # noqa: S603 - our own arguments only
        [sys.executable, "-c", _EXPORT], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


def test_alerts_use_exported_metrics(exported: str) -> None:
    named = set(re.findall(r"\b(?:ledger|payouts)_\w+", RULES.read_text()))
    assert len(named) == 13
    for name in named:
        assert re.search(rf"^{name}{{", exported, re.MULTILINE), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ('ledger_drift{currency="USD",', -7),
        ('ledger_drift{currency="EUR",', 0),
        ('payouts_waiting{.*state="SENT"', 3),
        ('payouts_waiting{.*state="RESERVED"', 0),
        ('payouts_attempts{.*state="UNKNOWN"', 2),
        ('payouts_attempts{.*state="BLOCKED"', 0),
        ('payouts_oldest_attempt_time_seconds{.*state="BLOCKED"', 0),
        ('payouts_halted{cause="MISMATCH",', 1),
        ('payouts_halted{cause="RESTORED",', 0),
        ('payouts_reconciliation_mismatches{.*provider="PAYPAL"', 4),
        ("payouts_rejected_total{", 1),
        ("payouts_blocked_total{", 0),
        ("payouts_returned_total{", 0),
    ],
)
def test_metrics_have_the_values_of_the_last_check(exported: str, name: str, value: float) -> None:
    (line,) = [line for line in exported.splitlines() if re.match(name, line)]
    assert float(line.rpartition(" ")[2]) == value


def test_each_alert_has_a_section_in_the_runbook() -> None:
    rules = RULES.read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    anchors = re.findall(r"runbook: docs/runbooks/payouts.md#(\w+)", rules)
    assert alerts == re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert anchors == [alert.lower() for alert in alerts]


def test_prometheus_accepts_the_rules_and_their_tests_pass() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH: it comes with Debian's package prometheus")
    for arguments in (["check", "rules", str(RULES)], ["test", "rules", str(RULE_TESTS)]):
        done = subprocess.run(  # noqa: S603 - our own arguments only
            [promtool, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
