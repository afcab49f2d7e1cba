"""`liaison`: the commands of operators and developers.

Each command's module is imported when the command runs: the stack's imports would make
`liaison --help` and `liaison token` slow.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from cli.payouts import options
from servicekit.process import exit_immediately

app = typer.Typer(
    name="liaison",
    help="Liaison: run the embedded stack, and operate the running one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they hold secrets
)
media = typer.Typer(help="Validate media files as the media service does.", no_args_is_help=True)
app.add_typer(media, name="media")
app.add_typer(options.payout_app, name="payout")
app.add_typer(options.payouts_app, name="payouts")

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


class ImagePurpose(StrEnum):
    """What an image is for; each purpose has limits of its own."""

    BANNER = "banner"
    IMAGE = "image"


@app.command()
def up(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the log lines of every process.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once everything is ready.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Start this process and those it needs; may be repeated."),
    ] = None,
) -> None:
    """Start the embedded stack and keep it running until Ctrl-C. Its data stays."""
    from cli import stack

    raise typer.Exit(stack.up_detached(only) if detach else stack.up(only, verbose=verbose))


@app.command()
def down() -> None:
    """Stop the running stack. Its data stays."""
    from cli import stack

    raise typer.Exit(stack.down())


@app.command()
def status() -> None:
    """Show the stack's processes.

    Exit code: 0 all ready, 1 some are not, 3 stack not running.
    """
    from cli import stack

    raise typer.Exit(stack.status())


@app.command()
def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep a started stack running, to look at it.")
    ] = False,
) -> None:
    """Play the main job end to end over gRPC, and verify the outcome.

    Uses the running stack, or starts one and stops it afterwards.

    Exit code: 0 every outcome verified, 1 not.
    """
    from cli.demo.command import run

    raise typer.Exit(run(keep=keep))


@app.command()
def token(
    role: Annotated[
        str, typer.Option(help="brand, creator, mediator, operator, platform or service")
    ],
    brand: Annotated[str, typer.Option(help="Id of the brand, for role brand.")] = "",
    creator: Annotated[str, typer.Option(help="Id of the creator, for role creator.")] = "",
    subject: Annotated[str, typer.Option(help="Subject of the token; default: by role.")] = "",
    ttl: Annotated[int, typer.Option(help="Seconds until it expires.", min=1)] = 3600,
) -> None:
    """Print a token that the services of this stack accept."""
    from cli.token import print_token

    raise typer.Exit(print_token(role, subject=subject, brand=brand, creator=creator, ttl=ttl))


@app.command()
def statement(
    brand: Annotated[str, typer.Option(help="A brand's id, to print its funds.")] = "",
    creator: Annotated[str, typer.Option(help="Or a creator's id, to print its rewards.")] = "",
    currency: Annotated[str, typer.Option(help="Such as USD; default: all.")] = "",
    start: Annotated[
        datetime | None, typer.Option("--from", formats=_TIMES, help="Start, in UTC, included.")
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", formats=_TIMES, help="End, in UTC, excluded.")
    ] = None,
) -> None:
    """Print a brand's or a creator's statement as CSV (RFC 4180), oldest line first.

    Text that a spreadsheet would take for a formula is prefixed with an apostrophe.

    Exit code: 0 all printed, 1 refused or interrupted, 2 wrong usage, 3 stack not running.
    """
    from cli.payouts.statement import print_statement

    if bool(brand) == bool(creator):
        raise typer.BadParameter("exactly one of --brand and --creator is needed")
    parent = f"brands/{brand}" if brand else f"creators/{creator}"
    raise typer.Exit(print_statement(parent, currency=currency, start=start, end=end))


@app.command()
def reconciliation(
    which: Annotated[
        str,
        typer.Argument(
            metavar="[NAME|latest|run]",
            help="One by its name, the latest of each provider, or run new ones now.",
        ),
    ] = "latest",
    provider: Annotated[str, options.provider_option("Only this provider; default: each.")] = "",
    csv: Annotated[
        bool,
        typer.Option(
            "--csv", help="Print only the findings, as CSV (RFC 4180); paid out is positive."
        ),
    ] = False,
) -> None:
    """Print reconciliations of providers' reports with the ledger, and active halts.

    Exit code: 0 everything matches, 1 refused, interrupted or none has run yet, 2 wrong usage,
    3 stack not running, 4 mismatch found, or a mismatch halt is active.
    """
    from cli.payouts.reconciliation import print_reconciliation

    whose = options.provider_name(provider)
    raise typer.Exit(print_reconciliation(which, whose, is_csv=csv))


@media.command()
def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Files to validate.")],
    purpose: Annotated[
        ImagePurpose,
        typer.Option(
            help="An article's banner (R67–R69), or an image in its body (R82–R84).",
            case_sensitive=False,
        ),
    ],
) -> None:
    """Validate image files as uploads are validated, without a server, against the
    default limits.

    A FILE is a regular file, or /dev/stdin.

    Prints one JSON object a line, in the order of the files:

    - file: as it was given; bytes that are not UTF-8 as \\xNN
    - verdict: ACCEPTED or REJECTED
    - reasons: every one that applies, of TOO_LARGE_BYTES, UNSUPPORTED_TYPE,
      BOMB, TOO_SMALL and CORRUPT, in this order
    - format: JPEG or PNG, by content; null for anything else
    - width, height: pixels as displayed; null if unknown

    Exit code: 0 all accepted, 1 some rejected, 2 some could not be read (the
    others are validated all the same), 3 failed: output cannot be written, no
    decoder starts, or one takes too long because the machine is busy.
    """
    from cli.media import validate_files

    raise typer.Exit(validate_files(purpose, files))


def main() -> None:
    try:
        app()
    except SystemExit as end:
        exit_immediately(end.code if isinstance(end.code, int) else int(end.code is not None))


if __name__ == "__main__":
    main()
