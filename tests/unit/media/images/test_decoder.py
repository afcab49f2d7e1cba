"""The decoder, run in this process: colours, rotation, metadata, damage."""

import struct
import zlib

import pytest
import pyvips

from services.media.images.decoder import block_other_loaders, decode
from services.media.images.headers import Format
from services.media.images.messages import Copy, DecodeReport, DecodeRequest
from tests.unit.media.pictures import chunk, jpeg, opened, photo, picture, png

REQUEST = DecodeRequest(maximum_pixels=50_000_000, fit_within=None, maximum_bytes=5_242_880)
SHRINK = DecodeRequest(maximum_pixels=50_000_000, fit_within=2000, maximum_bytes=5_242_880)
SECRET = b"47.3769,8.5417 taken by anna"


@pytest.fixture(autouse=True, scope="module")
def blocked_loaders() -> None:
    block_other_loaders()


def clean(
    content: bytes, decode_request: DecodeRequest = REQUEST
) -> tuple[DecodeReport, pyvips.Image]:
    report, (cleaned,) = decode(content, decode_request)
    assert report.problem == ""
    image = opened(cleaned)
    assert report.copies == [
        Copy(0, report.copies[0].format, len(cleaned), image.width, image.height)
    ]
    return report, image


def with_chunks(content: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks, right after IHDR."""
    return content[:33] + b"".join(chunks) + content[33:]


def test_a_jpeg_stays_a_jpeg_and_a_png_a_png() -> None:
    report, image = clean(jpeg())
    assert (report.format, report.copies[0].format) == (Format.JPEG, Format.JPEG)
    assert image.get("vips-loader").startswith("jpeg")
    report, image = clean(png())
    assert (report.format, report.copies[0].format) == (Format.PNG, Format.PNG)
    assert image.get("vips-loader").startswith("png")


def test_a_jpeg_comment_and_exif_do_not_survive() -> None:
    comment = b"\xff\xfe" + struct.pack(">H", len(SECRET) + 2) + SECRET
    exif = jpeg(exif_ifd0_Artist="anna (anna, ASCII, 5 components, 5 bytes)")
    content = exif[:2] + comment + exif[2:]
    assert SECRET in content
    assert b"anna" in exif
    for decode_request in (REQUEST, SHRINK):
        _, (cleaned,) = decode(content, decode_request)
        assert SECRET not in cleaned
        assert b"anna" not in cleaned
        assert b"Exif" not in cleaned


def test_png_texts_and_trailing_bytes_do_not_survive() -> None:
    content = with_chunks(png(), chunk(b"tEXt", b"Comment\0" + SECRET)) + SECRET
    _, (cleaned,) = decode(content, REQUEST)
    assert cleaned
    assert SECRET not in cleaned


def test_an_animation_is_reduced_to_its_first_frame() -> None:
    animated = with_chunks(
        png(),
        chunk(b"acTL", struct.pack(">II", 2, 0)),
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 800, 400, 0, 0, 1, 10, 0, 0)),
    )
    _, (cleaned,) = decode(animated, REQUEST)
    assert cleaned
    assert b"acTL" not in cleaned
    assert b"fcTL" not in cleaned


def test_exif_orientation_is_applied() -> None:
    report, image = clean(jpeg(800, 400, orientation=6))
    assert (report.width, report.height) == (400, 800)
    assert (image.width, image.height) == (400, 800)
    assert not image.get_typeof("orientation")
    # The gradient grows to the right as stored; turned by 90 degrees it grows downwards.
    assert image(200, 790)[0] > 200 > 50 > image(200, 10)[0]


def test_a_rotated_image_is_scaled_as_displayed() -> None:
    report, image = clean(jpeg(3000, 1500, orientation=8), SHRINK)
    assert (report.width, report.height) == (1500, 3000)
    assert (image.width, image.height) == (1000, 2000)


@pytest.mark.parametrize("width", [2000, 2001, 4001])
def test_only_images_above_2000_pixels_are_scaled_down_r83(width: int) -> None:
    report, image = clean(png(width, 1000), SHRINK)
    assert image.width == 2000
    assert image.height == round(1000 * 2000 / width)
    assert report.width == width


def test_16_bits_become_8() -> None:
    deep = picture(800, 400).colourspace("rgb16")
    _, image = clean(deep.pngsave_buffer(bitdepth=16))
    assert (image.format, image.interpretation) == ("uchar", "srgb")
    assert image(400, 200)[2] == pytest.approx(128, abs=1)


def test_16_bit_transparency_survives_an_icc_profile() -> None:
    deep = picture(800, 400).colourspace("rgb16").bandjoin(32768).cast("ushort")
    deep = deep.copy(interpretation="rgb16")
    content = deep.pngsave_buffer(bitdepth=16, profile="srgb")
    assert opened(content).get_typeof("icc-profile-data")
    _, image = clean(content)
    assert image.bands == 4
    assert image(400, 200)[3] == pytest.approx(128, abs=1)
    assert not image.get_typeof("icc-profile-data")


def test_cmyk_becomes_srgb() -> None:
    cmyk = picture(800, 400).colourspace("cmyk")
    _, image = clean(cmyk.jpegsave_buffer())
    assert (image.bands, image.interpretation) == (3, "srgb")
    assert image(10, 10)[2] > 80


def test_grey_stays_grey() -> None:
    _, image = clean(picture(800, 400).colourspace("b-w").pngsave_buffer())
    assert (image.bands, image.interpretation) == (1, "b-w")


def test_an_invalid_icc_profile_is_ignored() -> None:
    profile = chunk(b"iCCP", b"bad\0\0" + zlib.compress(b"no profile at all" * 20))
    _, image = clean(with_chunks(png(), profile))
    assert image.interpretation == "srgb"


@pytest.mark.parametrize("decode_request", [REQUEST, SHRINK])
def test_a_truncated_jpeg_is_damaged(decode_request: DecodeRequest) -> None:
    content = jpeg(2400, 1200)
    report, cleaned = decode(content[: len(content) - 500], decode_request)
    assert report.problem == "premature end of JPEG image"
    assert (report.width, report.height) == (2400, 1200)
    assert cleaned == []


def test_a_png_with_a_broken_checksum_is_damaged() -> None:
    content = bytearray(png())
    content[len(content) // 2] ^= 0xFF
    report, cleaned = decode(bytes(content), REQUEST)
    assert report.problem
    assert (report.width, report.height) == (800, 400)
    assert cleaned == []


def test_loaders_of_other_formats_are_blocked() -> None:
    gif = picture(800, 400).gifsave_buffer()
    report, cleaned = decode(gif, REQUEST)
    assert (report.format, report.found, cleaned) == (None, "a GIF image", [])
    with pytest.raises(pyvips.Error):
        opened(gif)


def test_a_bomb_is_never_decoded() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    report, cleaned = decode(content, REQUEST)
    assert (report.width, report.height, report.problem, cleaned) == (60_000, 60_000, "", [])


def test_a_clean_copy_that_is_too_long_is_encoded_smaller() -> None:
    noise = pyvips.Image.gaussnoise(800, 400, mean=128, sigma=50).cast("uchar")
    content = noise.copy(interpretation="b-w").jpegsave_buffer(Q=40)
    _, (usual,) = decode(content, REQUEST)
    tight = DecodeRequest(50_000_000, None, len(usual) - 1)
    _, (cleaned,) = decode(content, tight)
    assert 0 < len(cleaned) < len(usual)


@pytest.mark.parametrize("decode_request", [REQUEST, SHRINK])
def test_an_ultra_hdr_photo_is_a_jpeg_without_its_gain_map(decode_request: DecodeRequest) -> None:
    # As phones record: a JPEG, then a second one with the gain map for HDR screens.
    content = (photo(2400, 1200, seed=1).colourspace("scrgb") * 4).uhdrsave_buffer()
    assert b"21496" in content  # ISO 21496-1, gain maps
    assert content.count(b"\xff\xd8\xff") == 2
    report, image = clean(content, decode_request)
    assert (report.format, report.width, report.height) == (Format.JPEG, 2400, 1200)
    assert image.format == "uchar"
    _, (cleaned,) = decode(content, decode_request)
    assert b"21496" not in cleaned
    assert cleaned.count(b"\xff\xd8\xff") == 1


@pytest.mark.parametrize("interlace", [False, True])
def test_progressive_and_interlaced_images_are_read(interlace: bool) -> None:
    for content in (
        picture(2400, 1200).jpegsave_buffer(interlace=interlace),
        picture(2400, 1200).pngsave_buffer(interlace=interlace),
    ):
        _, image = clean(content, SHRINK)
        assert (image.width, image.height) == (2000, 1000)


def test_a_header_only_request_reads_only_the_header() -> None:
    content = jpeg(800, 400, orientation=6)
    decode_request = DecodeRequest(50_000_000, None, 5_242_880, is_header_only=True)
    report, copies = decode(content[: len(content) // 2], decode_request)
    assert (report.format, report.width, report.height) == (Format.JPEG, 400, 800)
    assert (report.problem, copies) == ("", [])


def test_every_copy_has_a_resolution_of_72_dpi() -> None:
    for content in (
        picture(800, 400).copy(xres=20, yres=30).jpegsave_buffer(),
        picture(800, 400).copy(xres=20, yres=30).pngsave_buffer(),
    ):
        _, image = clean(content)
        assert (image.xres, image.yres) == (pytest.approx(72 / 25.4, rel=0.01),) * 2
