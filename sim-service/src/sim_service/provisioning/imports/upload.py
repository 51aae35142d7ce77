"""One uploaded file, in a folder of its own."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from fleet_kit.app import API
from fleet_kit.errors import invalid

BODY_LIMITS = {f"{API}/sims/import": 32 * 1024**2}
"""Bytes of an upload: 100,000 rows of 300 bytes. The gateway has the same limit."""

_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "format": "binary", "description": "CSV (UTF-8) or XLSX"}},
}
DOCUMENTED: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}
}
"""For the API's document: the form is read by hand, after the role has been looked at."""


@asynccontextmanager
async def uploaded(request: Request) -> AsyncIterator[Path]:
    """The form's field `file`, on disk as long as the context; raises 422 where there is none."""
    async with request.form(max_files=1, max_fields=1) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise invalid("file", "send the file as multipart/form-data in the field `file`")
        with tempfile.TemporaryDirectory(prefix="sim-import-") as folder:
            path = Path(folder) / "upload"
            with path.open("wb") as target:
                shutil.copyfileobj(file.file, target)
            yield path
