"""Recipients whose notifications a caller may list."""

import pytest
from pydantic import ValidationError

from servicekit.auth import Principal, Role
from servicekit.errors import PermissionDenied, Reason
from services.notifications.handlers import ListNotifications, recipient_of

BRAND = Principal("users/1", Role.BRAND, brand="acme")
CREATOR = Principal("users/2", Role.CREATOR, creator="bea")
MEDIATOR = Principal("staff/mia", Role.MEDIATOR)
OPERATOR = Principal("staff/olga", Role.OPERATOR)

OWN = [
    (BRAND, "brands/acme"),
    (CREATOR, "creators/bea"),
    (MEDIATOR, "staff/mediators"),
    (OPERATOR, "staff/operators"),
]


@pytest.mark.parametrize(("who", "own"), OWN)
def test_the_callers_own_when_nobody_is_named(who: Principal, own: str) -> None:
    assert recipient_of(who, ListNotifications()) == own
    assert recipient_of(who, ListNotifications(recipient=own)) == own


@pytest.mark.parametrize("recipient", [own for _, own in OWN] + ["creators/carl"])
def test_operators_read_anybodys_and_others_do_not(recipient: str) -> None:
    command = ListNotifications(recipient=recipient)
    assert recipient_of(OPERATOR, command) == recipient
    for who, own in OWN[:3]:
        if own != recipient:
            with pytest.raises(PermissionDenied) as caught:
                recipient_of(who, command)
            assert caught.value.reason is Reason.NOT_YOURS


@pytest.mark.parametrize("name", ["staff/mia", "acme", "brands/", "brands/a/b", "tasks/t1"])
def test_a_malformed_recipient_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="Must look like"):
        ListNotifications(recipient=name)
