"""Whether payouts are sent, in words."""

from datetime import UTC, datetime

import pytest
from liaison.payouts.v1 import reconciliation_pb2 as pb

from cli.payouts.kill_switch import lines_of
from servicekit.timestamps import to_timestamp

NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC)
MISMATCH = pb.KillSwitch.Halt(
    cause=pb.KillSwitch.CAUSE_MISMATCH,
    reason="1 finding does not match: reconciliations/12",
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
    "  MISMATCH, since 2026-03-02 02:00:00 UTC, system:"
    " 1 finding does not match: reconciliations/12",
    "  OPERATOR, since 2026-03-02 01:00:00 UTC, staff/olga: A restore is coming",
]
AGAIN = pb.KillSwitch.Resume(
    reason="Looked at", actor="staff/olga", create_time=to_timestamp(NIGHT.replace(hour=3))
)
SENT_AGAIN = "Payouts are sent again, since 2026-03-02 03:00:00 UTC, staff/olga: Looked at"


@pytest.mark.parametrize(
    ("sending", "lines"),
    [
        (pb.KillSwitch(), ["Payouts are sent."]),
        (
            pb.KillSwitch(is_halted=True, halts=[MISMATCH, OLGA]),
            ["Nothing is sent:", *HALTS],
        ),
        (pb.KillSwitch(resume=AGAIN), [SENT_AGAIN]),
        (
            pb.KillSwitch(resume=AGAIN, lifted_halts=[MISMATCH, OLGA]),
            [SENT_AGAIN, "Lifted now:", *HALTS],
        ),
    ],
)
def test_each_halt_has_its_own_line(sending: pb.KillSwitch, lines: list[str]) -> None:
    assert list(lines_of(sending)) == lines
