"""Plain text lines for operators, which can be pasted into a ticket and searched."""

from google.protobuf.timestamp_pb2 import Timestamp

from servicekit.timestamps import from_timestamp


def moment(message: Timestamp) -> str:
    return f"{from_timestamp(message):%Y-%m-%d %H:%M:%S} UTC"


def plain(value: str) -> str:
    """`value` on one line, without control characters: receivers and reasons are untrusted text."""
    shown = "".join(each if each.isprintable() else " " for each in value)
    return " ".join(shown.split())
