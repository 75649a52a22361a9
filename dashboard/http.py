"""What every HTTP answer gets: strict security headers, and gzip that static files pay for once."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = ("/assets/", "/_dash-component-suites/")
LEAST = 600
KEEP_BYTES = 32 << 20


class SecurityHeaders:
    """Content-Security-Policy without inline scripts but Dash's own (by hash), and its companions."""

    def __init__(self, app: ASGIApp, scripts: Sequence[str] = ()) -> None:
        self.app = app
        policy = {
            "default-src": "'self'",
            "script-src": " ".join(["'self'", *scripts]),
            "style-src": "'self' 'unsafe-inline'",
            "img-src": "'self' data: blob:",
            "font-src": "'self'",
            "connect-src": "'self'",
            "object-src": "'none'",
            "base-uri": "'self'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
        }
        self.headers = {
            "Content-Security-Policy": "; ".join(f"{k} {v}" for k, v in policy.items()),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers[name] = value
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class Compress:
    """gzip for clients that take it: static files at level 9, kept by path and ETag; the rest quickly."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self.size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def gather(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body" or start is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            data = bytes(body)
            headers = MutableHeaders(scope=start)
            kind = headers.get("content-type", "")
            binary = kind.startswith(("image/", "font/", "application/octet-stream")) and "svg" not in kind
            if start["status"] == 200 and len(data) >= LEAST and not binary and "content-encoding" not in headers:
                data = self._zip(scope["path"], headers.get("etag", ""), data)
                headers["Content-Encoding"] = "gzip"
                headers["Content-Length"] = str(len(data))
                headers.add_vary_header("Accept-Encoding")
            await send(start)
            await send({"type": "http.response.body", "body": data, "more_body": False})

        await self.app(scope, receive, gather)

    def _zip(self, path: str, etag: str, data: bytes) -> bytes:
        if not path.startswith(STATIC):
            return gzip.compress(data, 1, mtime=0)
        key = (path, etag or str(len(data)))
        if key not in self.kept:
            self.kept[key] = gzip.compress(data, 9, mtime=0)
            self.size += len(self.kept[key])
            while self.size > KEEP_BYTES:
                self.size -= len(self.kept.popitem(last=False)[1])
        self.kept.move_to_end(key)
        return self.kept[key]
