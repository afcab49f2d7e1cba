"""Clean copies, renditions and dHash."""

from dataclasses import replace

import pytest
import pyvips

from services.media.images.decoder import decode
from services.media.images.drawing import dhash
from services.media.images.headers import Format
from services.media.images.messages import DecodeReport, DecodeRequest
from tests.unit.media.pictures import jpeg, opened, photo, picture, png

REQUEST = DecodeRequest(50_000_000, 2000, 5_242_880, renditions=(1080, 320))


def drawn(
    content: bytes, decode_request: DecodeRequest = REQUEST
) -> tuple[DecodeReport, list[pyvips.Image]]:
    report, copies = decode(content, decode_request)
    assert report.problem == ""
    images = [opened(copy) for copy in copies]
    for reported, copy, image in zip(report.copies, copies, images, strict=True):
        assert (reported.size_bytes, reported.width, reported.height) == (
            len(copy),
            image.width,
            image.height,
        )
        assert not [name for name in image.get_fields() if "exif" in name or "icc" in name]
    return report, images


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (6000, 4000, {0: (2000, 1333), 1080: (1080, 720), 320: (320, 213)}),
        (400, 1600, {0: (400, 1600), 1080: (270, 1080), 320: (80, 320)}),
        (1081, 361, {0: (1081, 361), 1080: (1080, 361), 320: (320, 107)}),
        (1080, 540, {0: (1080, 540), 320: (320, 160)}),
        (320, 200, {0: (320, 200)}),
    ],
)
def test_a_rendition_fits_its_square_and_is_omitted_for_an_image_that_fits(
    width: int, height: int, sizes: dict[int, tuple[int, int]]
) -> None:
    report, _ = drawn(jpeg(width, height))
    assert {copy.fit_within: (copy.width, copy.height) for copy in report.copies} == sizes


def test_a_rendition_is_upright_and_looks_like_the_image() -> None:
    _, images = drawn(jpeg(2400, 1200, orientation=6))
    for image in images:
        assert image.width * 2 == image.height
        # The gradient grows to the right as stored; turned by 90 degrees it grows downwards.
        top, bottom = image(image.width / 2, 1)[0], image(image.width / 2, image.height - 2)[0]
        assert (top, bottom) == (pytest.approx(0, abs=4), pytest.approx(255, abs=4))


def test_transparent_pixels_do_not_tint_their_neighbours() -> None:
    red = pyvips.Image.black(1600, 800, bands=3).linear([1, 1, 1], [255, 0, 0])
    half = pyvips.Image.black(800, 800).join(pyvips.Image.black(800, 800) + 255, "horizontal")
    hidden = half.ifthenelse(red, [0, 255, 0]).bandjoin(half).cast("uchar")
    _, images = drawn(hidden.copy(interpretation="srgb").pngsave_buffer())
    for image in images:
        assert image.bands == 4
        seen = image.flatten(background=[255, 0, 0])
        assert seen.extract_band(1).max() <= 1


@pytest.mark.parametrize("content", [jpeg(2000, 1000), png(2000, 1000)], ids=["jpeg", "png"])
def test_no_rendition_has_more_bytes_than_its_object(content: bytes) -> None:
    report, _ = drawn(content)
    assert all(copy.size_bytes <= report.clean_bytes for copy in report.copies)


def pixels(image: pyvips.Image) -> bytes:
    return bytes(image.write_to_memory())


BANNER = replace(REQUEST, fit_within=None)


@pytest.mark.parametrize(("width", "height", "grain"), [(2000, 1200, 2), (3000, 1500, 1)])
def test_a_png_photograph_loses_only_metadata(width: int, height: int, grain: int) -> None:
    original = photo(width, height, seed=1, grain=grain)
    content = original.pngsave_buffer(filter="all")
    assert 2_500_000 < len(content) < 5_242_880
    report, images = drawn(content, BANNER)
    assert report.copies[0].format is Format.PNG
    assert pixels(images[0]) == pixels(original)
    assert report.clean_bytes < 1.1 * len(content)
    # As a body image, it is scaled down where it is larger.
    report, images = drawn(content)
    assert report.copies[0].format is Format.PNG
    assert images[0].width == 2000


def test_renditions_are_jpegs_or_pngs_if_transparent() -> None:
    original = photo(2400, 1600, seed=1)
    report, _ = drawn(original.pngsave_buffer())
    assert [copy.format for copy in report.copies] == [Format.PNG, Format.JPEG, Format.JPEG]
    assert report.copies[-1].size_bytes < 30_000
    report, _ = drawn(original.bandjoin(128).pngsave_buffer())
    assert [copy.format for copy in report.copies] == 3 * [Format.PNG]


def test_a_fully_opaque_alpha_channel_is_dropped() -> None:
    original = photo(900, 600, seed=1)
    report, images = drawn(original.bandjoin(255).pngsave_buffer())
    assert pixels(images[0]) == pixels(original)
    assert [copy.format for copy in report.copies] == [Format.PNG, Format.JPEG]


def test_an_opaque_png_that_is_too_long_becomes_a_jpeg() -> None:
    original = photo(1500, 900, seed=1)
    tight = replace(BANNER, maximum_bytes=1_000_000)
    report, images = drawn(original.pngsave_buffer(), tight)
    assert report.copies[0].format is Format.JPEG
    assert report.clean_bytes <= 1_000_000
    assert (images[0] - original).abs().avg() < 8
    report, images = drawn(original.bandjoin(128).pngsave_buffer(), tight)
    assert report.copies[0].format is Format.PNG
    assert report.clean_bytes > 1_000_000  # so it will be rejected
    assert pixels(images[0].extract_band(0, n=3)) == pixels(original)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_is_kept_with_all_colours(bits: int) -> None:
    content = photo(1500, 900, seed=1).pngsave_buffer(palette=True, bitdepth=bits)
    report, (clean, *_) = drawn(content)
    assert pixels(clean) == pixels(opened(content))
    assert (clean.get("palette"), clean.get("bits-per-sample")) == (1, bits)
    assert report.clean_bytes < 1.1 * len(content)


def test_black_and_white_keeps_one_bit_for_each_pixel() -> None:
    grain = pyvips.Image.gaussnoise(1600, 900, mean=128, sigma=60, seed=1) > 128
    content = grain.copy(interpretation="b-w").pngsave_buffer(bitdepth=1)
    report, (clean, *_) = drawn(content)
    assert clean.get("bits-per-sample") == 1
    assert pixels(clean) == pixels(opened(content))
    assert report.clean_bytes < 1.1 * len(content)


def test_a_palette_image_that_is_scaled_down_has_no_palette() -> None:
    content = photo(3000, 1500, seed=1).pngsave_buffer(palette=True, bitdepth=2)
    _, (clean, *_) = drawn(content)
    assert clean.width == 2000
    assert not clean.get_typeof("palette")


def test_a_drawing_of_few_colours_has_renditions_of_few_colours() -> None:
    stripes = (pyvips.Image.xyz(2000, 1500)[0] & 1) * 255
    content = stripes.cast("uchar").copy(interpretation="b-w").pngsave_buffer(palette=True)
    report, _ = drawn(content)
    assert all(copy.size_bytes <= report.clean_bytes for copy in report.copies)


def distance(one: int | None, other: int | None) -> int:
    assert one is not None
    assert other is not None
    return (one ^ other).bit_count()


def test_dhash_is_stable_under_scaling_and_encoding() -> None:
    original = photo(2400, 1600, seed=1)
    report, _ = drawn(original.jpegsave_buffer(Q=95))
    again, _ = drawn(original.resize(0.4).pngsave_buffer())
    assert distance(report.dhash, again.dhash) <= 4


def test_different_images_have_different_dhashes() -> None:
    hashes = [dhash(photo(900, 600, seed)) for seed in range(12)]
    assert all(distance(one, two) > 10 for one in hashes for two in hashes if one != two)
    assert len(set(hashes)) == 12


def test_dhash_bits_are_set_where_the_row_becomes_darker() -> None:
    left_to_right = picture(900, 600).extract_band(0)
    assert dhash(left_to_right.copy(interpretation="b-w")) == 0
    assert dhash(left_to_right.fliphor().copy(interpretation="b-w")) == 2**64 - 1


@pytest.mark.parametrize("mark", [0, 40])
def test_a_plain_surface_has_no_dhash(mark: int) -> None:
    surface = pyvips.Image.gaussnoise(900, 600, mean=200, sigma=3, seed=1)
    surface = surface.draw_rect([0], 20, 20, mark, mark, fill=True) if mark else surface
    assert dhash(surface.cast("uchar").copy(interpretation="b-w")) is None
