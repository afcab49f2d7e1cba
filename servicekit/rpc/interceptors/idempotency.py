"""Returns the first response to a repeated `request_id`; see `servicekit.postgres.idempotency`."""

from uuid import UUID

from google.protobuf.message import Message

from servicekit.auth import current_principal
from servicekit.errors import LiaisonError
from servicekit.postgres import idempotency
from servicekit.postgres.database import Database
from servicekit.rpc.access import Repeat, Rpc, Rpcs
from servicekit.rpc.interceptors.interceptor import Context, Interceptor, Proceed


class IdempotencyInterceptor(Interceptor):
    def __init__(self, rpcs: Rpcs, database: Database) -> None:
        super().__init__(rpcs)
        self._database = database
        self._keys = idempotency.IdempotencyKeys(database)

    async def around(
        self, rpc: Rpc, request: Message, context: Context, proceed: Proceed
    ) -> Message:
        if rpc.repeat is None or rpc.repeat is Repeat.BY_ID:
            return await proceed()
        request_id = UUID(getattr(request, "request_id"))  # noqa: B009 - Message has no such field
        key = idempotency.key_of(current_principal().subject, rpc.path, request_id, request)
        if rpc.repeat is Repeat.BY_COMMAND:
            return await self._respond_by_command(rpc, key, proceed)
        async with self._database.transaction():
            return await self._respond(rpc, key, proceed)

    async def _respond(self, rpc: Rpc, key: idempotency.Key, proceed: Proceed) -> Message:
        first = await self._keys.claim(key)
        if first is not None:
            return rpc.response_class.FromString(first)
        response = await proceed()
        await self._keys.complete(key, response)
        return response

    async def _respond_by_command(
        self, rpc: Rpc, key: idempotency.Key, proceed: Proceed
    ) -> Message:
        try:
            return await self._respond(rpc, key, proceed)
        except LiaisonError as error:
            # A rejected command had no effect. After any other error it may have had one: the key
            # stays claimed, and a repetition finds the outcome.
            if not error.is_retryable:
                await self._keys.release(key)
            raise
