"""Invented products, each derived from its id. Pure."""

import hashlib
import re
from dataclasses import dataclass

_ITEM_ID = re.compile(r"[1-9][0-9]{5,19}")
_QUALITIES = ("Foldable", "Wireless", "Cotton", "Waterproof", "Handmade", "Vintage", "Mini")
_THINGS = ("backpack", "desk lamp", "summer dress", "tea set", "phone stand", "bikini", "puzzle")


@dataclass(frozen=True)
class Product:
    item_id: str
    title: str
    image_url: str
    price: str


def product(item_id: str) -> Product | None:
    """None for an id that ends in 404 or is not an id."""
    if not _ITEM_ID.fullmatch(item_id) or item_id.endswith("404"):
        return None
    digest = hashlib.sha256(item_id.encode()).digest()
    quality, thing = _QUALITIES[digest[0] % len(_QUALITIES)], _THINGS[digest[1] % len(_THINGS)]
    cents = 199 + int.from_bytes(digest[2:4], "big")
    return Product(
        item_id=item_id,
        title=f"{quality} {thing}",
        image_url=f"https://pictures.example/{item_id}.jpg",
        price=f"{cents // 100}.{cents % 100:02} USD",
    )
