"""Messages of liaison.media.v1.MediaService."""

from liaison.media.v1 import media_pb2 as pb

from servicekit.auth import Principal, Role
from servicekit.timestamps import to_timestamp
from services.media.domain import MediaObject
from services.media.uploads.presigned_urls import PresignedUrl

_STAFF = (Role.MEDIATOR, Role.OPERATOR)


def upload_message(media: MediaObject, presigned: PresignedUrl | None) -> pb.Upload:
    """The upload; without a URL if nothing may be uploaded any more."""
    upload = pb.Upload(name=f"uploads/{media.id}", expire_time=to_timestamp(media.expire_time))
    if presigned is not None:
        upload.MergeFrom(
            pb.Upload(
                url=presigned.url,
                headers=presigned.headers,
                form_fields=presigned.form_fields,
                url_expire_time=to_timestamp(presigned.expire_time),
            )
        )
    return upload


def media_object_message(media: MediaObject, who: Principal) -> pb.MediaObject:
    """The message for `who`: only staff may know which image it resembles."""
    message = pb.MediaObject(
        name=f"mediaObjects/{media.id}",
        state=pb.MediaObject.State.Value(f"STATE_{media.state}"),
        owner=f"creators/{media.owner}",
        purpose=pb.Purpose.Value(f"PURPOSE_{media.purpose}"),
        rejections=[
            pb.Rejection(
                code=rejection.code,
                rule_id=rejection.rule_id,
                description=rejection.description,
            )
            for rejection in media.rejections
        ],
        create_time=to_timestamp(media.create_time),
    )
    if media.accepted:
        message.content_type = media.accepted.content_type
        message.sha256 = media.accepted.sha256
        message.size_bytes = media.accepted.size_bytes
        message.width = media.accepted.width
        message.height = media.accepted.height
        if media.accepted.duration is not None:
            message.duration.FromTimedelta(media.accepted.duration)
    if media.resembled:
        message.resembles_another = who.role in _STAFF or who.creator == media.owner
        if who.role in _STAFF:
            message.resembled_media_object = f"mediaObjects/{media.resembled}"
    return message
