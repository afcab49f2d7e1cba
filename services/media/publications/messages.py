"""Publications as protobuf messages."""

from liaison.media.v1 import publications_pb2 as pb

from servicekit.timestamps import to_timestamp
from services.media.publications.domain import Publication


def publication_message(publication: Publication) -> pb.Publication:
    brand, assignment = publication.brand_id, publication.assignment_id
    return pb.Publication(
        name=publication.name,
        state=pb.Publication.State.Value(f"STATE_{publication.state}"),
        article_revision=f"articles/{publication.article_id}/revisions/{publication.revision_id}",
        channel=pb.Channel.Value(f"CHANNEL_{publication.channel}"),
        creator=f"creators/{publication.creator_id}",
        brand=f"brands/{brand}" if brand else "",
        assignment=f"assignments/{assignment}" if assignment else "",
        url=publication.url,
        request_time=to_timestamp(publication.request_time),
        due_time=to_timestamp(publication.due_time),
        publish_time=to_timestamp(publication.publish_time),
        is_overdue=publication.is_overdue,
        withdraw_reason=publication.withdraw_reason,
    )
