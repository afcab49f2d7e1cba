"""The subject that operators' commands act as."""

import pytest

from cli.calls import operator


@pytest.mark.parametrize(
    ("login", "subject"),
    [("olga", "staff/olga"), ("o.lga_2", "staff/o-lga-2"), ("---", "staff/cli")],
)
def test_the_operator_is_the_logged_in_user(
    monkeypatch: pytest.MonkeyPatch, login: str, subject: str
) -> None:
    monkeypatch.setenv("LOGNAME", login)
    assert operator() == subject
