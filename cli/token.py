"""`liaison token`: mints a token of the stack's identity provider, for calls by hand."""

from typing import get_args

import typer

from devstack import identity
from devstack.home import Home, default_home


def print_token(role: str, *, subject: str, brand: str, creator: str, ttl: int) -> int:
    home = Home(default_home())
    home.prepare()
    identity.ensure_key(home)
    for known in get_args(identity.Role):
        if role == known:
            try:
                made = identity.mint(
                    home, known, subject=subject, brand=brand, creator=creator, ttl_seconds=ttl
                )
            except ValueError as error:
                raise typer.BadParameter(str(error)) from None
            typer.echo(made)
            return 0
    raise typer.BadParameter(f"unknown role {role}; known: {', '.join(get_args(identity.Role))}")
