"""`liaison reconciliation` and the kill switch of `liaison payouts` against a real server."""

import asyncio
from dataclasses import replace

import pytest
from liaison.payouts.v1 import reconciliation_pb2 as pb
from typer.testing import CliRunner, Result

from cli import calls
from cli.__main__ import app
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.provider_reports import ChosenReports, choose_reports, moved, run
from tests.support.serving import request_id


@pytest.fixture(autouse=True)
def operator(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    served = harness.served
    access = replace(served.access, addresses={"payouts": served.address})
    monkeypatch.setattr(calls, "attach", lambda _: access)
    monkeypatch.setenv("LOGNAME", "piet")


@pytest.fixture
def paypal(harness: Harness) -> ChosenReports:
    return choose_reports(harness)


async def liaison(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def test_the_latest_of_each_provider_is_printed(paypal: ChosenReports) -> None:
    none = await liaison("reconciliation")
    assert none.exit_code == 1
    assert "PAYPAL: none has run yet; start one with `liaison reconciliation run`" in none.stderr
    assert (await liaison("reconciliation", "run")).exit_code == 0
    last = await liaison("reconciliation", "latest")
    assert last.exit_code == 0
    assert [line.split()[1] for line in last.output.splitlines() if "Provider " in line] == [
        "PayPal",
        "Bank",
    ]
    only = await liaison("reconciliation", "--provider", "bank-transfer")
    assert "PayPal" not in only.output


async def test_other_providers_are_reconciled_if_one_cannot_be_read(
    paypal: ChosenReports,
) -> None:
    paypal.is_readable = False
    one = await liaison("reconciliation", "run")
    assert one.exit_code == 1
    assert "PAYPAL: The provider cannot be read: HTTP_503" in one.stderr
    assert "Bank transfer" in one.stdout


async def test_exit_code_4_lasts_until_the_halt_is_lifted(
    harness: Harness, paypal: ChosenReports
) -> None:
    paypal.transactions.append(moved("T-1", 5_000))
    mismatched = (await run(harness)).name.removeprefix("reconciliations/")
    found = await liaison("reconciliation")
    assert found.exit_code == 4
    assert "BANK_TRANSFER: none has run yet" in found.stderr
    # Both match now; the halt of the earlier mismatch is still active.
    later = await liaison("reconciliation", "run")
    assert later.exit_code == (await liaison("reconciliation")).exit_code == 4
    assert later.output.count("Everything matches") == 2
    assert "Payouts are HALTED:\n  MISMATCH since " in later.output
    assert f"reconciliations/{mismatched}" in later.output
    csv = await liaison("reconciliation", "--csv")
    assert (csv.exit_code, csv.stdout.count("\n")) == (4, 1)
    assert "MISMATCH since " in csv.stderr
    # A matching one, by its name.
    (matching, *_) = (
        await harness.reconciler.ListReconciliations(pb.ListReconciliationsRequest())
    ).reconciliations
    assert (await liaison("reconciliation", matching.name)).exit_code == 0
    assert (await liaison("reconciliation", mismatched)).exit_code == 4
    assert (await liaison("payouts", "resume", "--reason", "Investigated")).exit_code == 0
    assert (await liaison("reconciliation")).exit_code == 0


async def test_resume_prints_the_halts_it_lifted(harness: Harness) -> None:
    await harness.reconciler.HaltPayouts(
        pb.HaltPayoutsRequest(reason="A restore is coming", request_id=request_id())
    )
    halted = await liaison("payouts", "halt", "--reason", "Ticket 4711")
    assert halted.exit_code == 0
    for words in ("staff/olga: A restore is coming", "staff/piet: Ticket 4711"):
        assert words in halted.output
        assert words in (await liaison("payouts", "status")).output
    resumed = await liaison("payouts", "resume", "--reason", "Ticket 4711 is done")
    assert resumed.exit_code == 0
    assert "staff/piet: Ticket 4711 is done\nHalts lifted by this command:\n" in resumed.output
    assert "staff/olga: A restore is coming" in resumed.output
    again = await liaison("payouts", "resume", "--reason", "Once more")
    assert (again.exit_code, again.output.endswith("There was no halt to lift.\n")) == (0, True)
