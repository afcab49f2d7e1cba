"""The printed state of the kill switch."""

from datetime import UTC, datetime

import pytest
from liaison.payouts.v1 import reconciliation_pb2 as pb

from cli.payouts.kill_switch import lines_of
from servicekit.timestamps import to_timestamp

NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC)
MISMATCH = pb.KillSwitch.Halt(
    cause=pb.KillSwitch.CAUSE_MISMATCH,
    reason="1 mismatch: reconciliations/12",
    actor="system",
    create_time=to_timestamp(NIGHT),
)
OLGA = pb.KillSwitch.Halt(
    cause=pb.KillSwitch.CAUSE_OPERATOR,
    reason="A restore\nis coming",
    actor="staff/olga",
    create_time=to_timestamp(NIGHT.replace(hour=1)),
)
HALTS = [
    "  MISMATCH since 2026-03-02 02:00:00 UTC by system: 1 mismatch: reconciliations/12",
    "  OPERATOR since 2026-03-02 01:00:00 UTC by staff/olga: A restore is coming",
]
RESUME = pb.KillSwitch.Resume(
    reason="Investigated", actor="staff/olga", create_time=to_timestamp(NIGHT.replace(hour=3))
)
RESUMED = "Payouts are being sent. Resumed 2026-03-02 03:00:00 UTC by staff/olga: Investigated"


@pytest.mark.parametrize(
    ("kill_switch", "lines"),
    [
        (pb.KillSwitch(), ["Payouts are being sent."]),
        (
            pb.KillSwitch(is_halted=True, halts=[MISMATCH, OLGA]),
            ["Payouts are HALTED:", *HALTS],
        ),
        (pb.KillSwitch(resume=RESUME), [RESUMED]),
        (
            pb.KillSwitch(resume=RESUME, lifted_halts=[MISMATCH, OLGA]),
            [RESUMED, "Halts lifted by this command:", *HALTS],
        ),
    ],
)
def test_each_halt_has_its_own_line(kill_switch: pb.KillSwitch, lines: list[str]) -> None:
    assert list(lines_of(kill_switch)) == lines
