"""Products that are made up, each from its number alone. Pure."""

import hashlib
import re
from dataclasses import dataclass

_ITEM_ID = re.compile(r"[1-9][0-9]{5,19}")
_LOOKS = ("Foldable", "Wireless", "Cotton", "Waterproof", "Handmade", "Vintage", "Mini")
_THINGS = ("backpack", "desk lamp", "summer dress", "tea set", "phone stand", "bikini", "puzzle")


@dataclass(frozen=True)
class Product:
    item_id: str
    title: str
    image_url: str
    price: str


def product(item_id: str) -> Product | None:
    """None where there is no such product: the number ends in 404, or is none."""
    if not _ITEM_ID.fullmatch(item_id) or item_id.endswith("404"):
        return None
    dice = hashlib.sha256(item_id.encode()).digest()
    look, thing = _LOOKS[dice[0] % len(_LOOKS)], _THINGS[dice[1] % len(_THINGS)]
    cents = 199 + int.from_bytes(dice[2:4], "big")
    return Product(
        item_id=item_id,
        title=f"{look} {thing}",
        image_url=f"https://pictures.example/{item_id}.jpg",
        price=f"{cents // 100}.{cents % 100:02} USD",
    )
