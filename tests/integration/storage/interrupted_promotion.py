"""A promotion that stops half-way and waits to be killed, for test_promoting.py.

Arguments: source bucket, target bucket, key, etag, SHA-256 and the length of a range in bytes.
"""

import sys
import threading

from servicekit.clock import utc_now
from servicekit.s3 import client as s3
from servicekit.s3.client import S3
from servicekit.settings import ObjectStoreSettings

source, target, key, etag, sha256, range_bytes = sys.argv[1:]
s3._RANGE_BYTES = int(range_bytes)


class Halting(S3):
    def get_range(self, bucket: str, key: str, offset: int, length: int, etag: str) -> bytes:
        if offset == 3 * int(range_bytes):
            sys.stdout.write("half way\n")
            sys.stdout.flush()
            threading.Event().wait()
        return super().get_range(bucket, key, offset, length, etag)


settings = ObjectStoreSettings()  # type: ignore[call-arg]  # the environment fills it
halting = Halting(settings, threads=1, clock=utc_now)
halting.promote((source, key), etag, (target, key), sha256, {"Content-Type": "video/mp4"})
