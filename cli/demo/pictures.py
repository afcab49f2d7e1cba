"""Image files for the demo, drawn when needed."""

import hashlib
from dataclasses import dataclass

import pyvips


@dataclass(frozen=True)
class Picture:
    name: str
    content_type: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def jpeg(name: str, width: int, height: int) -> Picture:
    data: bytes = _image(width, height).jpegsave_buffer(Q=88)
    return Picture(f"{name}.jpg", "image/jpeg", data)


def png(name: str, width: int, height: int) -> Picture:
    data: bytes = _image(width, height).pngsave_buffer()
    return Picture(f"{name}.png", "image/png", data)


def _image(width: int, height: int) -> pyvips.Image:
    """Colour gradients: small files, different for every size."""
    across = pyvips.Image.xyz(width, height)
    red = across[0] * (255.0 / width)
    green = across[1] * (255.0 / height)
    blue = ((across[0] + across[1]) * 0.05).sin() * 127 + 128
    return red.bandjoin([green, blue]).cast("uchar").copy(interpretation="srgb")
