"""OAuth client credentials: issues and validates tokens."""

import hashlib
import hmac
import secrets
import time

from devstack.paypal_sandbox.store import Store

SCOPE = (
    "https://uri.paypal.com/payments/payouts https://uri.paypal.com/services/reporting/search/read"
)


class Tokens:
    """Bearer tokens that expire; only their hashes are stored."""

    def __init__(
        self, store: Store, *, client_id: str, client_secret: str, lifetime_seconds: float
    ) -> None:
        self._store = store
        self._credentials = (client_id, client_secret)
        self.lifetime_seconds = lifetime_seconds

    def are_credentials(self, client_id: str, client_secret: str) -> bool:
        return all(
            hmac.compare_digest(given.encode(), known.encode())
            for given, known in zip((client_id, client_secret), self._credentials, strict=True)
        )

    def issue(self) -> str:
        token = secrets.token_urlsafe(48)
        now = time.time()
        with self._store.transaction():
            self._store.insert_token(_hash(token), expires_at=now + self.lifetime_seconds, now=now)
        return token

    def is_good(self, token: str) -> bool:
        return self._store.has_token(_hash(token), now=time.time())


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
