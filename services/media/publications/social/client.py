"""Social networks, through the HTTP gateway that the settings name."""

import httpx

from servicekit.errors import Reason, Unavailable
from services.media.publications.delivery import Post

_TIMEOUT_SECONDS = 8.0  # below the deadline of DeliverPublication
_LONGEST_URL = 2000


class SocialGatewayClient:
    """Calls `POST {base_url}/reposts/{id}`: the same id is the same post. The owner of `http`
    closes it."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, token: str) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._token = token

    async def post(self, publication_id: str, post: Post) -> str:
        """
        Raises:
            Unavailable: the gateway does not answer, refuses the post, or returns no URL. The error
                leaves out the gateway's text, which may quote the post.
        """
        try:
            response = await self._http.post(
                f"{self._base_url}/reposts/{publication_id}",
                json={
                    "network": post.network,
                    "url": post.url,
                    "title": post.title,
                    "text": post.text,
                    "image_url": post.image_url,
                },
                headers={"authorization": f"Bearer {self._token}"},
                timeout=_TIMEOUT_SECONDS,
                follow_redirects=False,
            )
        except httpx.HTTPError as error:
            raise _unavailable("does not answer") from error
        if not response.is_success:
            raise _unavailable(f"answers HTTP {response.status_code}")
        return _url_in(response)


def _url_in(response: httpx.Response) -> str:
    try:
        url = response.json()["url"]
    except (ValueError, KeyError, TypeError) as error:
        raise _unavailable("returns no URL") from error
    if not isinstance(url, str) or not 0 < len(url) <= _LONGEST_URL:
        raise _unavailable("returns no URL")
    return url


def _unavailable(what: str) -> Unavailable:
    return Unavailable(Reason.DEPENDENCY_UNAVAILABLE, f"The gateway to social networks {what}")
