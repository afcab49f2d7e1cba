"""Who operators are to the services that they call from a shell."""

import pytest

from cli.calls import operator


@pytest.mark.parametrize(
    ("login", "subject"),
    [("olga", "staff/olga"), ("o.lga_2", "staff/o-lga-2"), ("---", "staff/cli")],
)
def test_an_operator_is_who_is_logged_in(
    monkeypatch: pytest.MonkeyPatch, login: str, subject: str
) -> None:
    monkeypatch.setenv("LOGNAME", login)
    assert operator() == subject
