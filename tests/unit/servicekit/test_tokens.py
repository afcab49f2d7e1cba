"""Tokens seen before: what they say is remembered, not that they are good."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devstack import identity
from devstack.home import Home
from servicekit import auth
from servicekit.auth import Role, TokenVerifier
from servicekit.errors import Unauthenticated


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.prepare()
    identity.ensure_key(home)
    return home


def _verifier(home: Home) -> TokenVerifier:
    return TokenVerifier(home.jwks_file, identity.ISSUER, identity.AUDIENCE)


def test_a_token_that_was_good_is_refused_once_it_has_expired(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = _verifier(home)
    token = identity.mint(home, "creator", creator="anna", ttl_seconds=60)
    principal = verifier.verify(token)
    assert (principal.role, principal.creator) == (Role.CREATOR, "anna")
    assert verifier.verify(token) == principal
    later = datetime.now(UTC) + timedelta(seconds=61)
    monkeypatch.setattr(auth, "utc_now", lambda: later)
    with pytest.raises(Unauthenticated):
        verifier.verify(token)


def test_a_changed_token_is_checked_anew(home: Home) -> None:
    verifier = _verifier(home)
    anna = identity.mint(home, "creator", creator="anna")
    bea = identity.mint(home, "creator", creator="bea")
    assert verifier.verify(anna).creator == "anna"
    assert verifier.verify(bea).creator == "bea"
    header, _, signature = anna.split(".")
    with pytest.raises(Unauthenticated):
        verifier.verify(f"{header}.{bea.split('.')[1]}.{signature}")
