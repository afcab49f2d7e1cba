"""A reconciliation as a printed report and as CSV rows."""

import io
from datetime import UTC, datetime

from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from rich.console import Console

from cli.payouts.reconciliation_view import COLUMNS, report_of, row_of
from servicekit.money import Money
from servicekit.timestamps import to_timestamp

NIGHT = datetime(2026, 3, 2, 2, tzinfo=UTC)
UNMATCHED = pb.Finding(
    kind=pb.Finding.KIND_UNMATCHED,
    provider_transaction_id="9AB",
    provider_amount=Money("USD", 123_450).to_message(),
    time=to_timestamp(NIGHT),
    description="It belongs to no payout",
)
DIFFERENT = pb.Finding(
    kind=pb.Finding.KIND_DIFFERENT,
    payout="payouts/p1",
    attempt=2,
    provider_transaction_id="8CD",
    provider_amount=Money("USD", -9_900).to_message(),
    provider_fee=Money("EUR", -150).to_message(),
    ledger_amount=Money("USD", 10_000).to_message(),
    ledger_fee=Money("USD", 0).to_message(),
    time=to_timestamp(NIGHT),
    description="=The provider says",
)


def reconciliation(*findings: pb.Finding) -> pb.Reconciliation:
    def usd(minor: int) -> object:
        return Money("USD", minor).to_message()

    return pb.Reconciliation(
        name="reconciliations/12",
        provider=payouts_pb2.PROVIDER_PAYPAL,
        start_time=to_timestamp(NIGHT.replace(day=1)),
        end_time=to_timestamp(NIGHT),
        create_time=to_timestamp(NIGHT.replace(hour=5)),
        transaction_count=3,
        totals=[
            pb.ReconciliationTotal(
                provider_amount=usd(133_350),
                ledger_amount=usd(10_000),
                provider_fee=usd(200),
                ledger_fee=usd(200),
                open_amount=usd(5_000),
            )
        ],
        mismatch_count=len(findings),
        findings=findings,
    )


def printed(found: pb.Reconciliation) -> list[str]:
    """The lines, with runs of spaces collapsed."""
    console = Console(file=io.StringIO(), width=140)
    console.print(report_of(found))
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_a_report_has_both_sides_of_each_finding() -> None:
    lines = printed(reconciliation(UNMATCHED, DIFFERENT))
    for line in (
        "Reconciliation reconciliations/12",
        "Provider PayPal",
        "Period 2026-03-01 02:00:00 to 2026-03-02 02:00:00, UTC, end excluded",
        "Transactions 3 reported for the first time",
        "Result 2 mismatches: payouts were halted",
        "USD paid out, less returns 1,333.50 100.00 1,233.50",
        "USD fees 2.00 2.00 0.00",
        "USD not delivered yet 50.00",
        "1. not in the ledger: PayPal says 1,234.50 USD, the ledger nothing",
        "transaction 9AB, 2026-03-02 02:00:00 UTC",
        "It belongs to no payout",
        "Amounts Paid out: positive; returned: negative",
        "2. different: PayPal says -99.00 USD and a fee of -1.50 EUR,"
        " the ledger 100.00 USD and a fee of 0.00 USD",
        "payouts/p1, attempt 2, transaction 8CD, 2026-03-02 02:00:00 UTC",
    ):
        assert line in lines


def test_a_report_without_findings_says_so() -> None:
    lines = printed(reconciliation())
    assert "Result Everything matches" in lines
    assert not any(line.startswith("1.") for line in lines)


def test_csv_has_one_line_a_finding_and_no_formulas() -> None:
    found = reconciliation(UNMATCHED, DIFFERENT)
    unmatched, different = (
        dict(zip(COLUMNS, row_of(found, each), strict=True)) for each in found.findings
    )
    assert unmatched["provider_amount"] == "1234.50"
    assert (unmatched["ledger_amount"], unmatched["payout"], unmatched["attempt"]) == ("", "", "")
    assert unmatched["provider_fee"] == ""
    assert different["kind"] == "DIFFERENT"
    fees = ("provider_fee_currency", "provider_fee", "ledger_fee_currency", "ledger_fee")
    assert [different[column] for column in fees] == ["EUR", "-1.50", "USD", "0.00"]
    assert (different["payout"], different["attempt"]) == ("payouts/p1", "2")
    assert different["description"].startswith("'=")
