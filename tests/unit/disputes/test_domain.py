"""Command ids are derived from the caller and the request."""

from services.disputes.domain import command_id

REQUEST = "0b8f3c5e-6a39-4f43-9a35-6cf0c9d6a111"


def test_who_repeats_a_request_gets_the_same_id() -> None:
    assert command_id("users/1", REQUEST) == command_id("users/1", REQUEST)


def test_another_callers_same_request_id_is_another_command() -> None:
    assert command_id("users/1", REQUEST) != command_id("users/2", REQUEST)
