"""The alerts about the ledger: they look at what is measured, and each has its runbook."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/observability/payouts-alerts.yaml"
RUNBOOK = ROOT / "docs/runbooks/payouts.md"

# In a process of its own: a meter provider is set once.
_MEASURING = """
from opentelemetry import metrics as otel
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
otel.set_meter_provider(MeterProvider(metric_readers=[PrometheusMetricReader()]))
from prometheus_client import generate_latest
from servicekit.clock import utc_now
from services.payouts import metrics
from services.payouts.ledger import Drift
metrics.checked([Drift("USD", -7, 5)], utc_now())
print(generate_latest().decode())
"""


def test_alerts_look_at_what_is_measured() -> None:
    measured = subprocess.run(  # noqa: S603 - our own arguments only
        [sys.executable, "-c", _MEASURING], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    named = set(re.findall(r"\bledger_\w+", RULES.read_text()))
    assert named == {"ledger_drift", "ledger_carried_drift", "ledger_check_time_seconds"}
    for name in named:
        assert re.search(rf"^{name}{{", measured, re.MULTILINE), name
    assert re.search(r'^ledger_drift{currency="USD",.*} -7\.0$', measured, re.MULTILINE)
    assert re.search(r'^ledger_drift{currency="EUR",.*} 0\.0$', measured, re.MULTILINE)


def test_each_alert_has_its_place_in_the_runbook() -> None:
    rules = RULES.read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    anchors = re.findall(r"runbook: docs/runbooks/payouts.md#(\w+)", rules)
    assert alerts == re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert anchors == [alert.lower() for alert in alerts]


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on PATH: it comes with Debian's package prometheus")
    done = subprocess.run(  # noqa: S603 - our own arguments only
        [promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
