"""Options of `liaison payout` and `liaison payouts`. What carries a command out is imported when it
runs, because gRPC and the stack would make `--help` slow."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from workflows.payout.providers import ProviderName


class _ShowByDefault(TyperGroup):
    """Takes a first argument that is no command for a payout's name, and shows that payout."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_payout = bool(args) and not args[0].startswith("-") and args[0] not in self.commands
        return super().parse_args(ctx, ["show", *args] if is_payout else args)


def _known_provider(option: str) -> str:
    choices = [name.option for name in ProviderName]
    if option and option not in choices:
        raise typer.BadParameter(f"must be one of {', '.join(choices)}")
    return option


def provider_option(help_text: str) -> Any:
    """An option that takes a provider's name; empty by default."""
    return typer.Option(
        callback=_known_provider,
        metavar="|".join(name.option for name in ProviderName),
        help=help_text,
    )


def provider_name(option: str) -> str:
    """As payouts.v1.Provider names it, without the prefix; empty if no option was given."""
    return ProviderName.of_option(option) if option else ""


class Beneficiary(StrEnum):
    """See payouts.v1.WriteOffPayoutRequest.Beneficiary."""

    BRAND = "brand"
    PLATFORM = "platform"


class State(StrEnum):
    """See payouts.v1.Payout.State."""

    RESERVED = "reserved"
    SENDING = "sending"
    SENT = "sent"
    UNCLAIMED = "unclaimed"
    BLOCKED = "blocked"
    FAILED = "failed"
    PAID = "paid"
    RELEASED = "released"
    WRITTEN_OFF = "written-off"


payout_app = typer.Typer(
    help="One payout: show it, or decide about it. For all payouts together: `liaison payouts`.",
    no_args_is_help=True,
    cls=_ShowByDefault,
)
payouts_app = typer.Typer(
    help="All payouts: list them, and the kill switch (status, halt, resume). For one payout:"
    " `liaison payout NAME`.",
    no_args_is_help=True,
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Name or id of the payout or assignment.")
]
Reason = Annotated[str, typer.Option(help="Why; kept for good with your name.")]
RequestId = Annotated[
    str, typer.Option(help="Request id of an earlier call that may have been carried out.")
]
Attempt = Annotated[int, typer.Option(help="Number of the attempt.", min=1)]


@payout_app.command()
def show(name: Name) -> None:
    """Show its state, money, attempts, decisions and next action.

    `liaison payout NAME` is short for it.

    Exit code of this and all other `liaison payout` commands: 0 done, 1 refused, 2 wrong usage,
    3 stack not running.
    """
    from cli.payouts import payout

    raise typer.Exit(payout.show(name))


@payout_app.command()
def retry(
    name: Name,
    reason: Reason,
    provider: Annotated[
        str, provider_option("Who moves the money; default: LIAISON_PAYOUT_PROVIDER.")
    ] = "",
    receiver: Annotated[
        str, typer.Option(help="Where to, such as an IBAN; default: the account the creator named.")
    ] = "",
    request_id: RequestId = "",
) -> None:
    """Make the next attempt now, even if the money was returned after it was paid."""
    from cli.payouts import payout

    raise typer.Exit(payout.retry(name, reason, provider_name(provider), receiver, request_id))


@payout_app.command()
def hold(name: Name, reason: Reason, request_id: RequestId = "") -> None:
    """Send nothing more for it. A payment that was sent already goes on."""
    from cli.payouts import payout

    raise typer.Exit(payout.hold(name, reason, request_id))


@payout_app.command()
def resume(name: Name, reason: Reason, request_id: RequestId = "") -> None:
    """Lift its hold. (`liaison payouts resume` lifts a halt of all payouts.)"""
    from cli.payouts import payout

    raise typer.Exit(payout.resume(name, reason, request_id))


@payout_app.command("write-off")
def write_off(
    name: Name,
    reason: Reason,
    to: Annotated[Beneficiary, typer.Option(help="Who keeps the reserved money.")],
    request_id: RequestId = "",
) -> None:
    """End a payout that cannot be paid, for good."""
    from cli.payouts import payout

    raise typer.Exit(payout.write_off(name, reason, to, request_id))


@payout_app.command()
def resolve(
    name: Name,
    attempt: Attempt,
    reason: Reason,
    not_paid: Annotated[
        bool, typer.Option("--not-paid", help="No money left, and none will.")
    ] = False,
    found: Annotated[
        str, typer.Option(metavar="BATCH", help="The provider's batch id of the payment.")
    ] = "",
    request_id: RequestId = "",
) -> None:
    """Settle a BLOCKED attempt. The provider is asked first, and its answer outweighs yours."""
    from cli.payouts import payout

    if not_paid == bool(found):
        raise typer.BadParameter("exactly one of --not-paid and --found is needed")
    raise typer.Exit(payout.resolve(name, attempt, reason, found, request_id))


@payout_app.command()
def confirm(
    name: Name,
    attempt: Attempt,
    reference: Annotated[str, typer.Option(help="The bank's reference of the transfer.")],
    fee: Annotated[str, typer.Option(help="What the bank charged, such as '1.50 EUR'.")] = "",
    request_id: RequestId = "",
) -> None:
    """Record that its bank transfer was made."""
    from cli.payouts import payout

    raise typer.Exit(payout.confirm(name, attempt, reference, fee, request_id))


@payout_app.command()
def reject(name: Name, attempt: Attempt, reason: Reason, request_id: RequestId = "") -> None:
    """Record that its bank transfer cannot be made."""
    from cli.payouts import payout

    raise typer.Exit(payout.reject(name, attempt, reason, request_id))


@payouts_app.command("list")
def list_(
    state: Annotated[State | None, typer.Option(help="Only this state; default: all.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many.", min=1)] = 200,
) -> None:
    """List payouts, newest first: name, state, amount, creator, last change, error.

    Exit code: 0 done, 1 refused, 2 wrong usage, 3 stack not running.
    """
    from cli.payouts import listing

    raise typer.Exit(listing.print_payouts(state.name if state else "", limit))


@payouts_app.command()
def status() -> None:
    """Show whether payouts are sent, and every active halt.

    Exit code: 0 payouts are sent, 1 refused, 2 wrong usage, 3 stack not running, 4 halted.
    """
    from cli.payouts import kill_switch

    raise typer.Exit(kill_switch.status())


@payouts_app.command()
def halt(reason: Reason) -> None:
    """Stop sending ALL payouts. Payments that were sent already go on.

    Exit code: 0 halted, 1 refused, 2 wrong usage, 3 stack not running.
    """
    from cli.payouts import kill_switch

    raise typer.Exit(kill_switch.halt(reason))


@payouts_app.command("resume")
def resume_all(reason: Reason) -> None:
    """Lift EVERY active halt, and print those it lifted.

    Exit code: 0 payouts are sent, 1 refused, 2 wrong usage, 3 stack not running, 4 halted again
    meanwhile.
    """
    from cli.payouts import kill_switch

    raise typer.Exit(kill_switch.resume(reason))
