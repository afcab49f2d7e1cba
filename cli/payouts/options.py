"""The options of `liaison payout` and its commands; `cli.payouts.payout` carries them out, and is
imported when one is called."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class _ShowingByDefault(TyperGroup):
    """What is no command's name is a payout's, which is shown."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_payout = bool(args) and not args[0].startswith("-") and args[0] not in self.commands
        return super().parse_args(ctx, ["show", *args] if is_payout else args)


class Provider(StrEnum):
    PAYPAL = "paypal"
    BANK_TRANSFER = "bank-transfer"


class Beneficiary(StrEnum):
    BRAND = "brand"
    PLATFORM = "platform"


class State(StrEnum):
    """Where the money is."""

    RESERVED = "reserved"
    SENDING = "sending"
    SENT = "sent"
    UNCLAIMED = "unclaimed"
    BLOCKED = "blocked"
    FAILED = "failed"
    PAID = "paid"
    RELEASED = "released"
    WRITTEN_OFF = "written_off"


app = typer.Typer(
    help="One payout: `liaison payout NAME` shows all of it, `list` finds those of a state. The"
    " other commands are an operator's decisions about it, each kept with its reason.",
    no_args_is_help=True,
    cls=_ShowingByDefault,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the payout, or of its assignment.")]
Reason = Annotated[str, typer.Option(help="Why; kept for good.")]
RequestId = Annotated[str, typer.Option(help="Of the request that this one repeats.")]
Attempt = Annotated[int, typer.Option(help="Number of the attempt.", min=1)]


@app.command()
def show(name: Name) -> None:
    """Its state, its money, every attempt, every decision, and who must act.

    Exit code of this and of all others: 0 done, 1 refused, 2 wrong usage, 3 not running.
    """
    from cli.payouts import payout

    raise typer.Exit(payout.show(name))


@app.command("list")
def list_(
    state: Annotated[
        State | None, typer.Option(help="Where the money is; anywhere if not given.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 200,
) -> None:
    """One line for each, newest first: name, state, amount, creator, since when, error."""
    from cli.payouts import listing

    raise typer.Exit(listing.print_payouts(state or "", limit))


@app.command()
def retry(
    name: Name,
    reason: Reason,
    provider: Annotated[
        Provider | None, typer.Option(help="Who moves the money; the usual one if not given.")
    ] = None,
    receiver: Annotated[
        str, typer.Option(help="Where to; an IBAN, say. The creator's account if not given.")
    ] = "",
    request_id: RequestId = "",
) -> None:
    """Make the next attempt now, even where the money came back after it was paid."""
    from cli.payouts import payout

    raise typer.Exit(
        payout.retry(name, reason, provider.name if provider else "", receiver, request_id)
    )


@app.command()
def hold(name: Name, reason: Reason, request_id: RequestId = "") -> None:
    """Keep it from being sent. What was sent goes on."""
    from cli.payouts import payout

    raise typer.Exit(payout.hold(name, reason, request_id))


@app.command()
def resume(name: Name, reason: Reason, request_id: RequestId = "") -> None:
    """Let it be sent again."""
    from cli.payouts import payout

    raise typer.Exit(payout.resume(name, reason, request_id))


@app.command("write-off")
def write_off(
    name: Name,
    reason: Reason,
    to: Annotated[Beneficiary, typer.Option(help="Who keeps what is reserved.")],
    request_id: RequestId = "",
) -> None:
    """End one that cannot be paid, for good."""
    from cli.payouts import payout

    raise typer.Exit(payout.write_off(name, reason, to, request_id))


@app.command()
def resolve(
    name: Name,
    attempt: Attempt,
    reason: Reason,
    not_paid: Annotated[
        bool, typer.Option("--not-paid", help="No money has left, and none will.")
    ] = False,
    found: Annotated[str, typer.Option(metavar="BATCH", help="It is this batch.")] = "",
    request_id: RequestId = "",
) -> None:
    """Say what became of an attempt that is BLOCKED. The provider is asked first."""
    from cli.payouts import payout

    if not_paid == bool(found):
        raise typer.BadParameter("exactly one of --not-paid and --found is needed")
    raise typer.Exit(payout.resolve(name, attempt, reason, found, request_id))


@app.command()
def confirm(
    name: Name,
    attempt: Attempt,
    reference: Annotated[str, typer.Option(help="The bank's, of the transfer.")],
    fee: Annotated[str, typer.Option(help="What the bank charged, such as '1.50 EUR'.")] = "",
    request_id: RequestId = "",
) -> None:
    """Say that a bank transfer was made."""
    from cli.payouts import payout

    raise typer.Exit(payout.confirm(name, attempt, reference, fee, request_id))


@app.command()
def reject(name: Name, attempt: Attempt, reason: Reason, request_id: RequestId = "") -> None:
    """Say that a bank transfer cannot be made."""
    from cli.payouts import payout

    raise typer.Exit(payout.reject(name, attempt, reason, request_id))
