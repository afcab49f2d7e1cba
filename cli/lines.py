"""Lines of plain text, as operators read them: they can be pasted into a ticket and searched."""

from google.protobuf.timestamp_pb2 import Timestamp

from servicekit.timestamps import from_timestamp


def moment(message: Timestamp) -> str:
    return f"{from_timestamp(message):%Y-%m-%d %H:%M:%S} UTC"


def plain(value: str) -> str:
    """On one line, and nothing in it that a terminal obeys: receivers and reasons are anybody's
    words."""
    shown = "".join(each if each.isprintable() else " " for each in value)
    return " ".join(shown.split())
