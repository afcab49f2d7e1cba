"""Text detection (R65) with a real text reader, where `make ocr` has installed it."""

import importlib.util
from collections.abc import AsyncIterator

import psutil
import pytest
import pyvips
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from devstack.access import Access
from servicekit.postgres.database import Database
from services.media.images import text_detection
from services.media.images.text_detection import TextDetectionMissing, TextDetector
from services.media.sandbox.confinement import Confinement
from services.media.uploads.servicer import service
from tests.integration.media.conftest import Harness
from tests.integration.media.uploading import announcement, finalization, put
from tests.support.serving import serving

CONFINEMENT = Confinement(memory_bytes=3 * 1024**3, cpu_seconds=30, wall_seconds=30.0)
IS_INSTALLED = importlib.util.find_spec("rapidocr") is not None
needs_ocr = pytest.mark.skipif(not IS_INSTALLED, reason="RapidOCR is not installed: run `make ocr`")


@pytest.fixture
async def detector() -> AsyncIterator[TextDetector]:
    async with TextDetector(CONFINEMENT) as detector:
        yield detector


def picture(text: str = "", *, height: int = 400) -> bytes:
    """A JPEG of a gradient with text on it."""
    image = pyvips.Image.identity(ushort=False).resize(4, vscale=height)[0].cast("uchar")
    if text:
        letters = pyvips.Image.text(text, dpi=300).embed(60, 120, image.width, image.height)
        image = (letters > 128).ifthenelse(0, image)
    return bytes(image.jpegsave_buffer(Q=88))


@needs_ocr
@pytest.mark.parametrize("text", ["SUMMER SALE", "Größe für dich", "Soldes d'été"])
async def test_text_is_found(detector: TextDetector, text: str) -> None:
    assert await detector.has_text(picture(text)) is True


@needs_ocr
@pytest.mark.parametrize("text", ["", "42", "-50%"])
async def test_numbers_and_marks_are_not_text(detector: TextDetector, text: str) -> None:
    assert await detector.has_text(picture(text)) is False


@needs_ocr
async def test_content_that_is_no_image_gives_no_result(
    detector: TextDetector,
) -> None:
    assert await detector.has_text(b"no image") is None
    assert await detector.has_text(b"") is None
    assert await detector.has_text(picture("SUMMER SALE")) is True


@needs_ocr
async def test_a_killed_reader_is_replaced_and_ends_with_the_detector() -> None:
    async with TextDetector(CONFINEMENT) as detector:
        assert await detector.has_text(picture()) is False
        (first,) = psutil.Process().children()
        first.kill()
        assert await detector.has_text(picture("SUMMER SALE")) is True
        (second,) = psutil.Process().children()
        assert second.pid != first.pid
    assert not second.is_running()


@needs_ocr
async def test_an_image_that_exceeds_wall_time_gives_no_result() -> None:
    short = Confinement(CONFINEMENT.memory_bytes, CONFINEMENT.cpu_seconds, wall_seconds=0.001)
    async with TextDetector(short) as detector:
        assert await detector.has_text(picture("SUMMER SALE")) is None


@needs_ocr
@pytest.mark.parametrize(
    ("purpose", "expected"), [(pb.PURPOSE_BANNER, True), (pb.PURPOSE_IMAGE, None)]
)
async def test_the_result_is_stored_for_banners_only(
    access: Access,
    database: Database,
    harness: Harness,
    detector: TextDetector,
    purpose: pb.Purpose.ValueType,
    expected: bool | None,
) -> None:
    harness.handlers._detect_text = detector.has_text
    content = picture("SUMMER SALE")
    async with serving(access, [service(harness.handlers)], database) as served:
        anna = MediaServiceStub(served.as_creator("anna"))
        request = announcement(content, purpose=purpose)
        upload: pb.Upload = await anna.CreateUpload(request)
        assert await put(upload, content) == 200
        for _ in range(2):
            media: pb.MediaObject = await anna.FinalizeUpload(finalization(upload.name))
            assert media.state == pb.MediaObject.STATE_ACCEPTED
    kept = await harness.store.get(upload.name.removeprefix("uploads/"))
    assert kept is not None
    assert kept.has_text is expected


def test_missing_packages_are_reported_with_the_command_to_install_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text_detection, "_NEEDED", ("rapidocr_that_is_not_there",))
    with pytest.raises(TextDetectionMissing, match="make ocr"):
        TextDetector(CONFINEMENT)
