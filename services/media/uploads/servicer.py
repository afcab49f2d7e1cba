"""liaison.media.v1.MediaService over gRPC."""

from typing import Any

from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import (
    MediaServiceServicer,
    add_MediaServiceServicer_to_server,
)

from servicekit.auth import Principal, Role, current_principal
from servicekit.commands import parse
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from servicekit.timestamps import to_timestamp
from services.media.domain import MediaObject
from services.media.uploads import commands
from services.media.uploads.handlers import MediaHandlers

_READERS = (Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR, Role.SERVICE)
_STAFF = (Role.MEDIATOR, Role.OPERATOR)

ACCESS = {
    # A repeated request finds the upload by its id, and needs a URL that has not expired.
    "CreateUpload": allow(Role.CREATOR, repeat=Repeat.BY_ID),
    # Validation takes seconds, during which no transaction may be open; the row's state makes a
    # repeated request return the first verdict.
    "FinalizeUpload": allow(Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "GetMediaObject": allow(*_READERS),
    "BatchGetMediaObjects": allow(Role.SERVICE),
    "HoldMediaObjects": allow(Role.SERVICE),
    "CreateDownload": allow(*_READERS),
}


class MediaServicer(MediaServiceServicer):
    def __init__(self, media: MediaHandlers) -> None:
        self._media = media

    async def CreateUpload(self, request: pb.CreateUploadRequest, context: Any) -> pb.Upload:
        command = parse(commands.CreateUpload, request)
        media, presigned = await self._media.create_upload(current_principal(), command)
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

    async def FinalizeUpload(
        self, request: pb.FinalizeUploadRequest, context: Any
    ) -> pb.MediaObject:
        command = parse(commands.FinalizeUpload, request)
        who = current_principal()
        return to_message(await self._media.finalize_upload(who, command), who)

    async def GetMediaObject(
        self, request: pb.GetMediaObjectRequest, context: Any
    ) -> pb.MediaObject:
        command = parse(commands.GetMediaObject, request)
        who = current_principal()
        return to_message(await self._media.get_media_object(who, command), who)

    async def BatchGetMediaObjects(
        self, request: pb.BatchGetMediaObjectsRequest, context: Any
    ) -> pb.BatchGetMediaObjectsResponse:
        command = parse(commands.BatchGetMediaObjects, request)
        found, who = await self._media.batch_get_media_objects(command), current_principal()
        return pb.BatchGetMediaObjectsResponse(
            media_objects=[to_message(media, who) for media in found]
        )

    async def HoldMediaObjects(
        self, request: pb.HoldMediaObjectsRequest, context: Any
    ) -> pb.HoldMediaObjectsResponse:
        await self._media.hold_media_objects(parse(commands.HoldMediaObjects, request))
        return pb.HoldMediaObjectsResponse()

    async def CreateDownload(self, request: pb.CreateDownloadRequest, context: Any) -> pb.Download:
        command = parse(commands.CreateDownload, request)
        presigned = await self._media.create_download(current_principal(), command)
        return pb.Download(url=presigned.url, expire_time=to_timestamp(presigned.expire_time))


def service(media: MediaHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["MediaService"],
        add_MediaServiceServicer_to_server,
        MediaServicer(media),
        ACCESS,
    )


def to_message(media: MediaObject, who: Principal) -> pb.MediaObject:
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
