"""A creator's client: creates an upload, sends the bytes to storage, finalizes the upload."""

import hashlib

import httpx
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from tests.support.serving import Served, request_id

BANNER = pb.PURPOSE_BANNER
IMAGE = pb.PURPOSE_IMAGE
NAMELESS = "mediaObjects/00000000000000000000000000000000"


def announcement(
    content: bytes,
    content_type: str = "image/jpeg",
    purpose: pb.Purpose.ValueType = BANNER,
) -> pb.CreateUploadRequest:
    return pb.CreateUploadRequest(
        purpose=purpose,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content_type=content_type,
        request_id=request_id(),
    )


def finalization(name: str) -> pb.FinalizeUploadRequest:
    return pb.FinalizeUploadRequest(name=name, request_id=request_id())


async def put(upload: pb.Upload, content: bytes) -> int:
    # httpx sets the content length itself.
    headers = {name: text for name, text in upload.headers.items() if name != "content-length"}
    async with httpx.AsyncClient() as client:
        answer = await client.put(upload.url, content=content, headers=headers)
        return answer.status_code


async def post(upload: pb.Upload, content: bytes, file_name: str = "holiday.jpg") -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            upload.url, data=dict(upload.form_fields), files={"file": (file_name, content)}
        )
        return answer.status_code


async def uploaded(
    served: Served,
    content: bytes,
    content_type: str = "image/jpeg",
    purpose: pb.Purpose.ValueType = BANNER,
    creator: str = "anna",
) -> pb.Upload:
    stub = MediaServiceStub(served.as_creator(creator))
    upload: pb.Upload = await stub.CreateUpload(announcement(content, content_type, purpose))
    assert await put(upload, content) == 200
    return upload


async def finalized(
    served: Served,
    content: bytes,
    content_type: str = "image/jpeg",
    purpose: pb.Purpose.ValueType = BANNER,
    creator: str = "anna",
) -> pb.MediaObject:
    upload = await uploaded(served, content, content_type, purpose, creator)
    stub = MediaServiceStub(served.as_creator(creator))
    media: pb.MediaObject = await stub.FinalizeUpload(finalization(upload.name))
    return media


async def downloaded(
    stub: MediaServiceStub,
    name: str,
    rendition: pb.Rendition.ValueType = pb.RENDITION_UNSPECIFIED,
) -> httpx.Response:
    download = await stub.CreateDownload(pb.CreateDownloadRequest(name=name, rendition=rendition))
    async with httpx.AsyncClient() as client:
        return await client.get(download.url)


def reasons(media: pb.MediaObject) -> list[tuple[str, str]]:
    return [(rejection.code, rejection.rule_id) for rejection in media.rejections]
