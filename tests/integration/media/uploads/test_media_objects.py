"""Media objects: who may read, download and hold them."""

from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.errors import Reason
from tests.integration.media.conftest import ACCEPTED, Harness
from tests.integration.media.uploading import NAMELESS, finalization, finalized, uploaded
from tests.support.serving import Served, refused
from tests.unit.media.pictures import jpeg, png


async def test_media_of_others_and_unknown_media_are_indistinguishable(served: Served) -> None:
    upload = await uploaded(served, jpeg())
    name = upload.name.replace("uploads", "mediaObjects")
    boris = MediaServiceStub(served.as_creator("boris"))
    for theirs in (upload.name, NAMELESS.replace("mediaObjects", "uploads")):
        with refused(Reason.NOT_YOURS):
            await boris.FinalizeUpload(finalization(theirs))
    for theirs in (name, NAMELESS):
        with refused(Reason.NOT_YOURS):
            await boris.GetMediaObject(pb.GetMediaObjectRequest(name=theirs))
        with refused(Reason.NOT_YOURS):
            await boris.CreateDownload(pb.CreateDownloadRequest(name=theirs))
    with refused(Reason.NOT_FOUND):
        await MediaServiceStub(served.as_operator()).GetMediaObject(
            pb.GetMediaObjectRequest(name=NAMELESS)
        )


async def test_roles_are_restricted_to_their_methods(served: Served) -> None:
    upload = await uploaded(served, jpeg())
    for channel in (served.as_brand("acme"), served.as_mediator(), served.as_service()):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await MediaServiceStub(channel).FinalizeUpload(finalization(upload.name))
    for channel in (served.as_creator("anna"), served.as_operator()):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await MediaServiceStub(channel).HoldMediaObjects(
                pb.HoldMediaObjectsRequest(names=[NAMELESS], holder="assignments/a")
            )


async def test_a_download_needs_an_accepted_object(served: Served) -> None:
    media = await finalized(served, png(100, 100), "image/png")
    with refused(Reason.MEDIA_NOT_ACCEPTED):
        await MediaServiceStub(served.as_creator("anna")).CreateDownload(
            pb.CreateDownloadRequest(name=media.name)
        )


async def test_batch_get_keeps_the_requested_order(served: Served) -> None:
    one, two = await finalized(served, jpeg()), await finalized(served, png(), "image/png")
    answer = await MediaServiceStub(served.as_service()).BatchGetMediaObjects(
        pb.BatchGetMediaObjectsRequest(names=[two.name, NAMELESS, one.name])
    )
    assert list(answer.media_objects) == [two, one]


async def test_a_hold_requires_the_stored_object_and_may_be_repeated(
    served: Served, harness: Harness
) -> None:
    good = await finalized(served, jpeg(811, 411))
    bad = await finalized(served, png(100, 100), "image/png")
    worker = MediaServiceStub(served.as_service())
    holder = "assignments/a/submissions/1"
    request = pb.HoldMediaObjectsRequest(names=[good.name], holder=holder)
    await worker.HoldMediaObjects(request)
    await worker.HoldMediaObjects(request)
    request.names.extend([bad.name, NAMELESS])
    with refused(Reason.MEDIA_NOT_ACCEPTED) as caught:
        await worker.HoldMediaObjects(request)
    assert caught.value.metadata == {"media_objects": f"{bad.name}, {NAMELESS}"}
    await harness.objects.remove(ACCEPTED, f"sha256/{good.sha256}")
    with refused(Reason.MEDIA_NOT_ACCEPTED):
        await worker.HoldMediaObjects(pb.HoldMediaObjectsRequest(names=[good.name], holder=holder))


async def test_a_brand_can_read_what_was_submitted_to_it_r27(served: Served) -> None:
    good = await finalized(served, jpeg(812, 412))
    acme, other = (MediaServiceStub(served.as_brand(name)) for name in ("acme", "other"))
    request = pb.GetMediaObjectRequest(name=good.name)
    with refused(Reason.NOT_YOURS):
        await acme.GetMediaObject(request)
    await MediaServiceStub(served.as_service()).HoldMediaObjects(
        pb.HoldMediaObjectsRequest(
            names=[good.name], holder="assignments/a/submissions/1", brand="brands/acme"
        )
    )
    assert await acme.GetMediaObject(request) == good
    assert (await acme.CreateDownload(pb.CreateDownloadRequest(name=good.name))).url
    with refused(Reason.NOT_YOURS):
        await other.GetMediaObject(request)
