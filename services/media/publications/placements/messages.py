"""Placements as protobuf messages."""

from liaison.media.v1 import publications_pb2 as pb

from servicekit.timestamps import to_timestamp
from services.media.publications.placements.domain import Placement


def placement_message(placement: Placement) -> pb.Placement:
    return pb.Placement(
        name=placement.name,
        slot=placement.slot,
        publication=f"publications/{placement.publication_id}",
        start_time=to_timestamp(placement.start_time),
        end_time=to_timestamp(placement.end_time),
        granted_by=placement.granted_by,
        create_time=to_timestamp(placement.create_time),
        cancel_time=to_timestamp(placement.cancel_time),
    )
