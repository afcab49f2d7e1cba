"""Verification of tokens whose claims are cached: expiry is checked each time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devstack import identity
from devstack.home import Home
from servicekit import auth
from servicekit.auth import Role, TokenVerifier
from servicekit.errors import Reason, Unauthenticated


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.prepare()
    identity.ensure_key(home)
    return home


def _verifier(home: Home) -> TokenVerifier:
    return TokenVerifier(home.jwks_file, identity.ISSUER, identity.AUDIENCE)


def test_a_cached_token_is_rejected_once_it_has_expired(
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


def test_a_changed_token_is_verified_again(home: Home) -> None:
    verifier = _verifier(home)
    anna = identity.mint(home, "creator", creator="anna")
    bea = identity.mint(home, "creator", creator="bea")
    assert verifier.verify(anna).creator == "anna"
    assert verifier.verify(bea).creator == "bea"
    header, _, signature = anna.split(".")
    with pytest.raises(Unauthenticated):
        verifier.verify(f"{header}.{bea.split('.')[1]}.{signature}")


@pytest.mark.parametrize("role", ["mediator", "operator"])
def test_a_staff_token_needs_a_staff_subject(home: Home, role: identity.Role) -> None:
    verifier = _verifier(home)
    assert verifier.verify(identity.mint(home, role)).actor == "staff/local"
    assert verifier.verify(identity.mint(home, role, subject="staff/mia")).actor == "staff/mia"
    for subject in (
        "mia",
        "operators/mia",
        "creators/mia",
        "staff/",
        "staff/a/b",
        "staff/mia\n",
        "staff/\0",
        " staff/mia",
        "Staff/mia",
    ):
        with pytest.raises(Unauthenticated) as caught:
            verifier.verify(identity.mint(home, role, subject=subject))
        assert caught.value.reason is Reason.CREDENTIALS_INVALID
