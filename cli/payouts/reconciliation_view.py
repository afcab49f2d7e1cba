"""A reconciliation as a printed report and as CSV rows, for accountants. Pure."""

from collections.abc import Iterable
from datetime import datetime

from google.type.money_pb2 import Money as MoneyMessage
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.csv_cells import decimal, text
from servicekit.money import Money
from servicekit.timestamps import from_timestamp
from workflows.payout.providers import ProviderName

COLUMNS = (
    "reconciliation",
    "provider",
    "kind",
    "time",
    "payout",
    "attempt",
    "provider_transaction_id",
    "provider_currency",
    "provider_amount",
    "provider_fee_currency",
    "provider_fee",
    "ledger_currency",
    "ledger_amount",
    "ledger_fee_currency",
    "ledger_fee",
    "description",
)
_KINDS = {
    pb.Finding.KIND_UNMATCHED: "not in the ledger",
    pb.Finding.KIND_MISSING: "not at the provider",
    pb.Finding.KIND_DIFFERENT: "different",
    pb.Finding.KIND_CORRECTED: "corrected",
}


def row_of(found: pb.Reconciliation, finding: pb.Finding) -> list[str]:
    """The cells of COLUMNS; a field that the finding lacks is empty."""
    return [
        found.name,
        payouts_pb2.Provider.Name(found.provider).removeprefix("PROVIDER_"),
        pb.Finding.Kind.Name(finding.kind).removeprefix("KIND_"),
        from_timestamp(finding.time).isoformat(),
        text(finding.payout),
        str(finding.attempt) if finding.attempt else "",
        text(finding.provider_transaction_id),
        *_cells(finding.provider_amount),
        *_cells(finding.provider_fee),
        *_cells(finding.ledger_amount),
        *_cells(finding.ledger_fee),
        text(finding.description),
    ]


def _cells(message: MoneyMessage) -> tuple[str, str]:
    """Currency and number; both empty for an absent amount."""
    return (message.currency_code, decimal(message)) if message.currency_code else ("", "")


def report_of(found: pb.Reconciliation) -> RenderableType:
    name = payouts_pb2.Provider.Name(found.provider).removeprefix("PROVIDER_")
    provider = ProviderName(name).label
    parts: list[RenderableType] = [_head(found, provider)]
    if found.totals:
        parts += ["", _totals(found.totals, provider)]
    if found.findings:
        parts += ["", _findings(found.findings, provider)]
    return Group(*parts)


def _head(found: pb.Reconciliation, provider: str) -> RenderableType:
    start, end = from_timestamp(found.start_time), from_timestamp(found.end_time)
    grid = Table.grid(padding=(0, 2))
    grid.add_row("Reconciliation", found.name)
    grid.add_row("Provider", provider)
    grid.add_row("Period", f"{_moment(start)} to {_moment(end)}, UTC, end excluded")
    grid.add_row("Run at", f"{_moment(from_timestamp(found.create_time))} UTC")
    grid.add_row("Transactions", f"{found.transaction_count} reported for the first time")
    grid.add_row("Amounts", "Paid out: positive; returned: negative")
    grid.add_row("Fees", "Charged: positive; refunded: negative")
    grid.add_row("Result", _result(found.mismatch_count))
    return grid


def _result(mismatch_count: int) -> Text:
    if not mismatch_count:
        return Text("Everything matches", style="green")
    mismatches = "1 mismatch" if mismatch_count == 1 else f"{mismatch_count} mismatches"
    return Text(f"{mismatches}: payouts were halted", style="bold red")


def _totals(totals: Iterable[pb.ReconciliationTotal], provider: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2))
    table.add_column("")
    for header in (provider, "Ledger", "Difference"):
        table.add_column(header, justify="right")
    for total in totals:
        currency = total.provider_amount.currency_code
        for what, provider_side, ledger_side in (
            ("paid out, less returns", total.provider_amount, total.ledger_amount),
            ("fees", total.provider_fee, total.ledger_fee),
        ):
            table.add_row(
                f"{currency} {what}",
                _amount(provider_side),
                _amount(ledger_side),
                _difference(provider_side, ledger_side),
            )
        if decimal(total.open_amount) != "0.00":
            table.add_row(f"{currency} not delivered yet", _amount(total.open_amount), "", "")
    return table


def _findings(findings: Iterable[pb.Finding], provider: str) -> Table:
    """Three lines per finding, folded to the terminal's width."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", vertical="top")
    grid.add_column(overflow="fold")
    for number, finding in enumerate(findings, 1):
        has_fee = any(map(_is_nonzero, (finding.provider_fee, finding.ledger_fee)))
        provider_side = _side(finding.provider_amount, finding.provider_fee, has_fee=has_fee)
        ledger_side = _side(finding.ledger_amount, finding.ledger_fee, has_fee=has_fee)
        what = _KINDS.get(finding.kind, "?")
        where = [
            finding.payout,
            f"attempt {finding.attempt}" if finding.attempt else "",
            f"transaction {finding.provider_transaction_id}"
            if finding.provider_transaction_id
            else "",
            f"{_moment(from_timestamp(finding.time))} UTC",
        ]
        grid.add_row(
            f"{number}.",
            Text.assemble(
                (what, "bold"),
                f": {provider} says {provider_side}, the ledger {ledger_side}\n",
                ", ".join(filter(None, where)),
                f"\n{finding.description}",
            ),
        )
    return grid


def _difference(provider_side: MoneyMessage, ledger_side: MoneyMessage) -> Text:
    minor = (
        Money.from_message(provider_side).amount_minor
        - Money.from_message(ledger_side).amount_minor
    )
    shown = _amount(Money(provider_side.currency_code, minor).to_message())
    return Text(shown, style="bold red" if minor else "")


def _amount(message: MoneyMessage) -> str:
    """With thousands separators."""
    sign = "-" if message.units < 0 or message.nanos < 0 else ""
    whole, _, cents = decimal(message).lstrip("-").partition(".")
    return f"{sign}{int(whole):,}.{cents}"


def _side(amount: MoneyMessage, fee: MoneyMessage, *, has_fee: bool) -> str:
    """One side of a finding; `has_fee`: at least one of the two sides has a fee."""
    if not amount.currency_code:
        return "nothing"
    side = f"{_amount(amount)} {amount.currency_code}"
    return f"{side} and a fee of {_amount(fee)} {fee.currency_code}" if has_fee else side


def _is_nonzero(message: MoneyMessage) -> bool:
    return bool(message.units or message.nanos)


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"
