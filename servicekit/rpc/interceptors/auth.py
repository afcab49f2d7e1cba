"""Authenticates the caller and checks its role against the access table."""

from google.protobuf.message import Message

from servicekit.auth import TokenVerifier, set_principal
from servicekit.errors import PermissionDenied, Reason, Unauthenticated
from servicekit.rpc.access import Rpc, Rpcs
from servicekit.rpc.interceptors.interceptor import Context, Interceptor, Proceed

_SCHEME = "Bearer "


class AuthInterceptor(Interceptor):
    def __init__(self, rpcs: Rpcs, verifier: TokenVerifier) -> None:
        super().__init__(rpcs)
        self._verifier = verifier

    async def around(
        self, rpc: Rpc, request: Message, context: Context, proceed: Proceed
    ) -> Message:
        metadata = dict(context.invocation_metadata() or ())
        authorization = str(metadata.get("authorization", ""))
        if not authorization.startswith(_SCHEME):
            raise Unauthenticated(
                Reason.CREDENTIALS_MISSING, "Send a bearer token in `authorization`"
            )
        principal = self._verifier.verify(authorization.removeprefix(_SCHEME))
        if principal.role not in rpc.roles:
            raise PermissionDenied(
                Reason.ROLE_NOT_ALLOWED,
                f"{rpc.name} is not allowed for the role {principal.role}",
                metadata={"role": principal.role, "method": rpc.name},
            )
        set_principal(principal)
        return await proceed()
