"""Web pages of other origins may read the API, as far as the installation allows."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send


class Cors(CORSMiddleware):
    """Starlette's, out of the way of all who are no web page: without `Origin` there is nothing to allow.

    That answers vary by origin is said by `delivery`, on all of them.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's own
        if scope["type"] == "http" and any(name == b"origin" for name, _ in scope["headers"]):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)
