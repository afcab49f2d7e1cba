"""A reconciliation as accountants read it: on a page, and as lines of CSV. Pure."""

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
_PROVIDERS = {
    payouts_pb2.PROVIDER_PAYPAL: "PayPal",
    payouts_pb2.PROVIDER_BANK_TRANSFER: "Bank transfers",
}
_KINDS = {
    pb.Finding.KIND_UNMATCHED: "not in the ledger",
    pb.Finding.KIND_MISSING: "not at the provider",
    pb.Finding.KIND_DIFFERENT: "not the same",
    pb.Finding.KIND_CORRECTED: "mended",
}


def row_of(found: pb.Reconciliation, finding: pb.Finding) -> list[str]:
    """The cells of COLUMNS. What a finding does not have is empty."""
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
    """Currency and number; empty where nothing is said."""
    return (message.currency_code, decimal(message)) if message.currency_code else ("", "")


def report_of(found: pb.Reconciliation) -> RenderableType:
    provider = _PROVIDERS.get(found.provider, "?")
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
    grid.add_row("Period", f"{_moment(start)} to {_moment(end)}, UTC; the end is not part of it")
    grid.add_row("Made", f"{_moment(from_timestamp(found.create_time))} UTC")
    grid.add_row("New lines", f"{found.transaction_count} of the provider's report")
    grid.add_row("Amounts", "What was paid out is positive, what came back negative")
    grid.add_row("Fees", "What was charged is positive, what was given back negative")
    grid.add_row("Result", _verdict(found.mismatch_count))
    return grid


def _verdict(mismatch_count: int) -> Text:
    if not mismatch_count:
        return Text("Everything matches", style="green")
    what = "1 finding does" if mismatch_count == 1 else f"{mismatch_count} findings do"
    return Text(f"{what} not match: sending was stopped", style="bold red")


def _totals(totals: Iterable[pb.ReconciliationTotal], provider: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2))
    table.add_column("")
    for header in (provider, "Ledger", "Difference"):
        table.add_column(header, justify="right")
    for total in totals:
        currency = total.provider_amount.currency_code
        for what, theirs, ours in (
            ("paid out, less what came back", total.provider_amount, total.ledger_amount),
            ("fees", total.provider_fee, total.ledger_fee),
        ):
            table.add_row(
                f"{currency} {what}", _amount(theirs), _amount(ours), _difference(theirs, ours)
            )
        if decimal(total.open_amount) != "0.00":
            table.add_row(f"{currency} not delivered yet", _amount(total.open_amount), "", "")
    return table


def _findings(findings: Iterable[pb.Finding], provider: str) -> Table:
    """Three lines each, which fit any terminal."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", vertical="top")
    grid.add_column(overflow="fold")
    for number, finding in enumerate(findings, 1):
        has_fee = any(map(_is_money, (finding.provider_fee, finding.ledger_fee)))
        theirs = _said(finding.provider_amount, finding.provider_fee, has_fee=has_fee)
        ours = _said(finding.ledger_amount, finding.ledger_fee, has_fee=has_fee)
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
                f": {provider} says {theirs}, the ledger {ours}\n",
                ", ".join(filter(None, where)),
                f"\n{finding.description}",
            ),
        )
    return grid


def _difference(theirs: MoneyMessage, ours: MoneyMessage) -> Text:
    minor = Money.from_message(theirs).amount_minor - Money.from_message(ours).amount_minor
    shown = _amount(Money(theirs.currency_code, minor).to_message())
    return Text(shown, style="bold red" if minor else "")


def _amount(message: MoneyMessage) -> str:
    """With thousands set apart, for people."""
    sign = "-" if message.units < 0 or message.nanos < 0 else ""
    whole, _, cents = decimal(message).lstrip("-").partition(".")
    return f"{sign}{int(whole):,}.{cents}"


def _said(amount: MoneyMessage, fee: MoneyMessage, *, has_fee: bool) -> str:
    """What one side says; `has_fee`: either says that there is a fee."""
    if not amount.currency_code:
        return "nothing"
    said = f"{_amount(amount)} {amount.currency_code}"
    return f"{said} and a fee of {_amount(fee)} {fee.currency_code}" if has_fee else said


def _is_money(message: MoneyMessage) -> bool:
    return bool(message.units or message.nanos)


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"
