"""HEAD: what GET would answer, without its body (RFC 9110, 9.3.2)."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware that lets every route for GET answer HEAD: FastAPI's routes know the one without the other."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self.app(scope, receive, send)

        goes_on = asyncio.Event()

        async def send_head(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
            elif goes_on.is_set():
                await asyncio.sleep(0)  # for the end to come in
            else:
                await send({"type": message["type"], "body": b""})
                if message.get("more_body", False):
                    goes_on.set()

        answer = asyncio.ensure_future(self.app({**scope, "method": "GET"}, receive, send_head))
        enough = asyncio.ensure_future(goes_on.wait())
        try:
            await asyncio.wait({answer, enough}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                answer.result()
        finally:  # the rest of a stream would be made for nobody
            for task in (answer, enough):
                task.cancel()
            await asyncio.gather(answer, enough, return_exceptions=True)
