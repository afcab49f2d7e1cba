"""What presigned URLs and forms admit, and what they refuse."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from servicekit.s3.object_store import ObjectStore
from servicekit.s3.objects import PostForm
from tests.integration.storage.conftest import ACCEPTED, QUARANTINE, Storage

BODY = b"the bytes that were announced"
MINUTE = timedelta(minutes=1)
PAGE = {"origin": "https://studio.example.com"}


def headers_for(body: bytes, content_type: str = "image/png") -> dict[str, str]:
    return {
        "content-length": str(len(body)),
        "content-type": content_type,
        "if-none-match": "*",
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
    }


async def test_a_presigned_put_admits_the_announced_bytes_once(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str
) -> None:
    headers = headers_for(BODY)
    url = objects.presign_put(QUARANTINE, key, headers=headers, expires=MINUTE)
    assert (await anonymous.put(url, content=BODY, headers=headers)).status_code == 200
    stored = await objects.stat(QUARANTINE, key)
    assert stored is not None
    assert (stored.size_bytes, stored.content_type) == (len(BODY), "image/png")
    assert (await anonymous.put(url, content=BODY, headers=headers)).status_code == 412
    assert await objects.read(QUARANTINE, key, maximum_bytes=len(BODY)) == BODY


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(BODY + b"!", headers_for(BODY + b"!"), id="another length"),
        pytest.param(BODY, headers_for(BODY, "text/html"), id="another type"),
        pytest.param(BODY.upper(), headers_for(BODY), id="other bytes of the same length"),
        pytest.param(BODY.upper(), headers_for(BODY.upper()), id="another checksum"),
        pytest.param(BODY, headers_for(BODY) | {"if-none-match": "x"}, id="another condition"),
    ],
)
async def test_a_presigned_put_refuses_anything_else(
    objects: ObjectStore,
    anonymous: httpx.AsyncClient,
    key: str,
    body: bytes,
    headers: dict[str, str],
) -> None:
    url = objects.presign_put(QUARANTINE, key, headers=headers_for(BODY), expires=MINUTE)
    answer = await anonymous.put(url, content=body, headers=headers)
    assert answer.status_code in (400, 403)
    assert await objects.stat(QUARANTINE, key) is None


async def test_a_presigned_get_reads_one_object(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str
) -> None:
    odd_key = f"{key}/ä b~+c"
    await objects.put_immutable(ACCEPTED, odd_key, BODY, content_type="image/png")
    url = objects.presign_get(ACCEPTED, odd_key, expires=MINUTE)
    answer = await anonymous.get(url)
    assert (answer.content, answer.headers["content-type"]) == (BODY, "image/png")
    assert (await anonymous.get(url, headers={"range": "bytes=4-8"})).content == BODY[4:9]
    for refused in (
        await anonymous.get(url.replace("~", "-")),
        await anonymous.get(f"{url}&response-content-type=text/html"),
        await anonymous.delete(url),
        await anonymous.put(url, content=b"other"),
    ):
        assert refused.status_code == 403
    assert await objects.read(ACCEPTED, odd_key, maximum_bytes=100) == BODY


async def post(
    anonymous: httpx.AsyncClient, form: PostForm, body: bytes, **changes: str
) -> httpx.Response:
    return await anonymous.post(form.url, data={**form.fields, **changes}, files={"file": body})


@pytest.fixture
def form(objects: ObjectStore, key: str) -> PostForm:
    return objects.presign_post(
        QUARANTINE, key, content_type="image/png", maximum_bytes=len(BODY), expires=MINUTE
    )


@pytest.mark.parametrize("body", [BODY, BODY[:1]], ids=["as many as may be", "one byte"])
async def test_a_form_admits_up_to_its_maximum(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str, form: PostForm, body: bytes
) -> None:
    assert (await post(anonymous, form, body)).status_code == 204
    stored = await objects.stat(QUARANTINE, key)
    assert stored is not None
    assert (stored.size_bytes, stored.content_type) == (len(body), "image/png")


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        pytest.param(BODY + b"!", {}, id="more bytes"),
        pytest.param(BODY * 100_000, {}, id="far more bytes"),
        pytest.param(b"", {}, id="no bytes"),
        pytest.param(BODY, {"key": "tests/elsewhere"}, id="another key"),
        pytest.param(BODY, {"Content-Type": "text/html"}, id="another type"),
        pytest.param(BODY, {"x-amz-meta-more": "1"}, id="a field more"),
        pytest.param(BODY, {"x-amz-signature": "0" * 64}, id="another signature"),
        pytest.param(BODY, {"x-amz-copy-source": "/media-accepted/other"}, id="a copy"),
    ],
)
async def test_a_form_refuses_anything_else(
    objects: ObjectStore,
    anonymous: httpx.AsyncClient,
    key: str,
    form: PostForm,
    body: bytes,
    changes: dict[str, str],
) -> None:
    assert (await post(anonymous, form, body, **changes)).status_code in (400, 403)
    assert await objects.stat(QUARANTINE, key) is None
    assert await objects.stat(QUARANTINE, "tests/elsewhere") is None


async def test_a_form_may_be_posted_again_with_another_etag(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str, form: PostForm
) -> None:
    await post(anonymous, form, BODY)
    first = await objects.stat(QUARANTINE, key)
    await post(anonymous, form, BODY.upper())
    second = await objects.stat(QUARANTINE, key)
    assert first is not None
    assert second is not None
    assert first.etag != second.etag


async def test_expired_urls_and_forms_are_refused(
    storage: Storage, objects: ObjectStore, anonymous: httpx.AsyncClient, key: str
) -> None:
    await objects.put_immutable(ACCEPTED, key, BODY, content_type="image/png")
    headers = headers_for(BODY)
    async with ObjectStore(storage.settings, clock=_an_hour_ago) as late:
        reading = late.presign_get(ACCEPTED, key, expires=MINUTE)
        writing = late.presign_put(QUARANTINE, key, headers=headers, expires=MINUTE)
        form = late.presign_post(
            QUARANTINE, key, content_type="image/png", maximum_bytes=100, expires=MINUTE
        )
    assert (await anonymous.get(reading)).status_code == 403
    assert (await anonymous.put(writing, content=BODY, headers=headers)).status_code == 403
    assert (await post(anonymous, form, BODY)).status_code == 403
    assert await objects.stat(QUARANTINE, key) is None


async def test_a_page_of_any_origin_may_upload(
    objects: ObjectStore, anonymous: httpx.AsyncClient, key: str, form: PostForm
) -> None:
    headers = headers_for(BODY)
    url = objects.presign_put(QUARANTINE, f"{key}-put", headers=headers, expires=MINUTE)
    asked = ",".join(sorted(set(headers) - {"content-length"}))
    preflight = await anonymous.options(
        url,
        headers=PAGE
        | {"access-control-request-method": "PUT", "access-control-request-headers": asked},
    )
    assert preflight.is_success
    assert set(asked.split(",")) <= set(
        preflight.headers["access-control-allow-headers"].replace(" ", "").split(",")
    )
    for answer in (
        preflight,
        await anonymous.put(url, content=BODY, headers=headers | PAGE),
        await anonymous.post(form.url, data=form.fields, files={"file": BODY}, headers=PAGE),
    ):
        assert answer.is_success
        assert answer.headers["access-control-allow-origin"] in ("*", PAGE["origin"])


def _an_hour_ago() -> datetime:
    return datetime.now(UTC) - 60 * MINUTE
