"""Serves the OpenAPI document: hundreds of kilobytes that never change while a process lives."""

import gzip
import hashlib
from functools import cache

import orjson
from fastapi import FastAPI, Request, Response

_HEADERS = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
"""Whoever has it may keep it, and ask whether it is still the same."""


def add_openapi_document(app: FastAPI, path: str) -> None:
    """Serve `GET path`, made and compressed once at the first request."""

    @cache
    def made() -> tuple[bytes, bytes, str]:
        document = orjson.dumps(app.openapi())
        tag = hashlib.blake2b(document, digest_size=16).hexdigest()
        return document, gzip.compress(document), tag

    async def document(request: Request) -> Response:
        plain, compressed, tag = made()
        headers = _HEADERS | {"ETag": f'W/"{tag}"'}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(compressed, headers=headers, media_type="application/json")
        return Response(plain, headers=headers, media_type="application/json")

    app.add_route(path, document, include_in_schema=False)
