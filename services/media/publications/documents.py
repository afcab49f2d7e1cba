"""The public document of an article. It is built from the sealed revision alone: building it again
gives the same document. Pure.

Documents are public: they contain nothing that only the creator or the brand may know.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from services.media.articles import links
from services.media.articles.domain import (
    CatalogueProduct,
    Content,
    Coupon,
    Image,
    Product,
    Revision,
    Text,
    Video,
)
from services.media.publications.teaser import sentence_of

# Tells clients which fields to expect; to be raised when fields are removed or changed.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class StoredFile:
    """An accepted file, addressed by its content. Pixels are as displayed."""

    sha256: str
    content_type: str
    size_bytes: int
    width: int
    height: int

    @property
    def accepted_key(self) -> str:
        return f"sha256/{self.sha256}"

    @property
    def file_name(self) -> str:
        return f"{self.sha256}{_EXTENSIONS.get(self.content_type, '')}"


@dataclass(frozen=True)
class PublicFile:
    """The public copy of a file for one article, at `key` in the public bucket. Each article has
    copies of its own below its own prefix, so that a withdrawal affects no other article."""

    stored: StoredFile
    key: str


@dataclass(frozen=True)
class Pictures:
    """An image in all its sizes."""

    full: StoredFile
    feed: StoredFile
    thumbnail: StoredFile


@dataclass(frozen=True)
class Upload:
    """The files of a media object; the `pictures` of a video are those of its poster, if any."""

    pictures: Pictures | None
    video: StoredFile | None = None
    duration_seconds: float | None = None

    def files(self) -> list[StoredFile]:
        pictures = self.pictures
        of_image = [pictures.full, pictures.feed, pictures.thumbnail] if pictures else []
        return [*of_image, self.video] if self.video else of_image


_EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
}

FileUrl = Callable[[StoredFile], str]


def key_of(article_id: str, revision_id: str) -> str:
    """The key of a document in the public bucket."""
    return f"articles/{article_id}/{revision_id}.json"


def public_file(article_id: str, stored: StoredFile) -> PublicFile:
    return PublicFile(stored, f"articles/{article_id}/media/{stored.file_name}")


@dataclass(frozen=True)
class Document:
    """A document, and what posts to social networks take from it."""

    key: str
    content: Mapping[str, Any]

    def encoded(self) -> bytes:
        return json.dumps(self.content, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def title(self) -> str:
        return str(self.content["title"])

    @property
    def sentence(self) -> str:
        return str(self.content["teaser"]["sentence"])

    @property
    def image_url(self) -> str:
        """The URL of the first picture in feed size; empty when there is none."""
        picture = self.content["teaser"]["picture"]
        return str(picture["feed"]["url"]) if picture else ""


def document_of(revision: Revision, uploads: Mapping[str, Upload], file_url: FileUrl) -> Document:
    """`uploads` has every media object of the revision by its id; `file_url` returns the public URL
    of a file."""
    content = revision.content
    writer = _Writer(uploads, file_url, {one.item_id: one for one in revision.products})
    return Document(
        key_of(revision.article_id, revision.id),
        {
            "schema_version": SCHEMA_VERSION,
            "article": f"articles/{revision.article_id}",
            "revision": revision.name,
            "creator": f"creators/{revision.creator_id}",
            "seal_time": revision.seal_time.astimezone(UTC).isoformat(timespec="milliseconds"),
            "kind": str(content.kind),
            "title": content.title,
            "introduction": content.introduction,
            "hashtags": list(content.hashtags),
            "banner": writer.picture(content.banner_id),
            "teaser": {
                "picture": writer.picture(_first_picture(content)),
                "sentence": sentence_of(content),
            },
            "blocks": [writer.block(block) for block in content.blocks],
        },
    )


def _first_picture(content: Content) -> str:
    """The banner, which readers see first (R63), or else the first image in the body."""
    images = (block.media_object_id for block in content.blocks if isinstance(block, Image))
    return content.banner_id or next(images, "")


@dataclass(frozen=True)
class _Writer:
    uploads: Mapping[str, Upload]
    file_url: FileUrl
    products: Mapping[str, CatalogueProduct]

    def picture(self, media_object_id: str) -> dict[str, Any] | None:
        upload = self.uploads.get(media_object_id)
        if upload is None or upload.pictures is None:
            return None
        pictures = upload.pictures
        return {
            "full": self._file(pictures.full),
            "feed": self._file(pictures.feed),
            "thumbnail": self._file(pictures.thumbnail),
        }

    def block(self, block: Text | Image | Product | Video | Coupon) -> dict[str, Any]:
        match block:
            case Text(text):
                return {"type": "text", "text": text}
            case Image(media_object_id, description):
                picture = self.picture(media_object_id)
                return {"type": "image", "picture": picture, "description": description}
            case Product():
                return self._product(block)
            case Video():
                return self._video(block)
            case Coupon(store_id, coupon_ids):
                return {
                    "type": "coupons",
                    "store_id": store_id,
                    # Where readers get them (R93).
                    "store_url": f"https://www.aliexpress.com/store/{store_id}",
                    "coupon_ids": list(coupon_ids),
                }

    def _product(self, block: Product) -> dict[str, Any]:
        item_id = links.item_id_or_empty(block.url)
        known = self.products.get(item_id)
        return {
            "type": "product",
            "item_id": item_id,
            "url": links.product_url(item_id),
            "title": known.title if known else "",
            "image_url": known.image_url if known else "",
            "price": known.price if known else "",
            "description": block.description,
        }

    def _video(self, block: Video) -> dict[str, Any]:
        if block.youtube_url:
            youtube_id = links.youtube_id_or_empty(block.youtube_url)
            return {
                "type": "youtube",
                "youtube_id": youtube_id,
                "url": links.youtube_watch_url(youtube_id),
                "embed_url": links.youtube_embed_url(youtube_id),
                "description": block.description,
            }
        upload = self.uploads[block.media_object_id]
        return {
            "type": "video",
            "video": self._file(upload.video) if upload.video else None,
            "duration_seconds": upload.duration_seconds,
            "poster": self.picture(block.media_object_id),
            "description": block.description,
        }

    def _file(self, file: StoredFile) -> dict[str, Any]:
        return {
            "url": self.file_url(file),
            "content_type": file.content_type,
            "size_bytes": file.size_bytes,
            "width": file.width,
            "height": file.height,
        }
