"""Random ids in PayPal's format."""

import secrets
import string

_LETTERS = string.ascii_uppercase + string.digits


def batch_or_item_id() -> str:
    return _random(13)


def transaction_id() -> str:
    return _random(17)


def event_id() -> str:
    return f"WH-{_random(17)}-{_random(17)}"


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
