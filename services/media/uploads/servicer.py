"""liaison.media.v1.MediaService over gRPC."""

from typing import Any

from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import (
    MediaServiceServicer,
    add_MediaServiceServicer_to_server,
)

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from servicekit.timestamps import to_timestamp
from services.media.uploads import commands
from services.media.uploads.handlers import MediaHandlers
from services.media.uploads.messages import media_object_message, upload_message

_READERS = (Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR, Role.SERVICE)

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
        return upload_message(media, presigned)

    async def FinalizeUpload(
        self, request: pb.FinalizeUploadRequest, context: Any
    ) -> pb.MediaObject:
        command = parse(commands.FinalizeUpload, request)
        who = current_principal()
        return media_object_message(await self._media.finalize_upload(who, command), who)

    async def GetMediaObject(
        self, request: pb.GetMediaObjectRequest, context: Any
    ) -> pb.MediaObject:
        command = parse(commands.GetMediaObject, request)
        who = current_principal()
        return media_object_message(await self._media.get_media_object(who, command), who)

    async def BatchGetMediaObjects(
        self, request: pb.BatchGetMediaObjectsRequest, context: Any
    ) -> pb.BatchGetMediaObjectsResponse:
        command = parse(commands.BatchGetMediaObjects, request)
        found, who = await self._media.batch_get_media_objects(command), current_principal()
        return pb.BatchGetMediaObjectsResponse(
            media_objects=[media_object_message(media, who) for media in found]
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
