"""Tokens of the embedded identity provider."""

from pathlib import Path
from typing import get_args

import jwt
import pytest

from devstack import identity
from devstack.home import Home
from servicekit.auth import Role


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    identity.ensure_key(home)
    return home


def _claims(home: Home, token: str) -> dict[str, object]:
    keys = jwt.PyJWKSet.from_json(home.jwks_file.read_text())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    verified: dict[str, object] = jwt.decode(
        token, key, algorithms=["EdDSA"], issuer=identity.ISSUER, audience=identity.AUDIENCE
    )
    return verified


def test_the_published_key_verifies_a_token(home: Home) -> None:
    claims = _claims(home, identity.mint(home, "creator", creator="ann", ttl_seconds=60))
    assert claims["sub"] == "creators/ann"
    assert (claims["role"], claims["creator"]) == ("creator", "ann")
    assert "brand" not in claims


def test_the_key_stays_from_start_to_start(home: Home) -> None:
    token = identity.mint(home, "operator")
    identity.ensure_key(home)
    assert _claims(home, token)["role"] == "operator"


@pytest.mark.parametrize(
    ("role", "spoken_for"),
    [
        ("brand", {}),
        ("creator", {"brand": "acme"}),
        ("operator", {"brand": "acme"}),
        ("platform", {"creator": "anna"}),
    ],
)
def test_a_role_with_the_wrong_party_gets_no_token(
    home: Home, role: identity.Role, spoken_for: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="role brand needs a brand"):
        identity.mint(home, role, **spoken_for)  # type: ignore[arg-type] # only names, no ttl


@pytest.mark.parametrize("subject", ["", "platforms/counts"])
def test_a_platform_token_names_no_party(home: Home, subject: str) -> None:
    claims = _claims(home, identity.mint(home, "platform", subject=subject))
    assert (claims["sub"], claims["role"]) == (subject or "platforms/local", "platform")
    assert not {"brand", "creator"} & claims.keys()


@pytest.mark.parametrize("role", ["mediator", "operator"])
def test_a_staff_token_without_a_subject_is_the_local_staff(
    home: Home, role: identity.Role
) -> None:
    assert _claims(home, identity.mint(home, role))["sub"] == "staff/local"


def test_every_role_of_ours_can_get_a_token() -> None:
    assert set(get_args(identity.Role)) == set(Role)


def test_a_service_token_file_is_readable_by_its_owner_only(home: Home) -> None:
    path = identity.service_token_file(home, "tasks")
    claims = _claims(home, path.read_text())
    assert (claims["sub"], claims["role"]) == ("services/tasks", "service")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_private_key_is_not_published(home: Home) -> None:
    published = jwt.PyJWKSet.from_json(home.jwks_file.read_text())
    assert '"d"' not in home.jwks_file.read_text()
    assert len(published.keys) == 1
