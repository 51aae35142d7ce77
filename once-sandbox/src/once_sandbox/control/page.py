"""The control page at /."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

router = APIRouter(include_in_schema=False)
_FILES = Path(__file__).with_name("files")


@router.get("/")
async def page() -> FileResponse:
    return FileResponse(_FILES / "page.html")


@router.get("/page.css")
async def styles() -> FileResponse:
    return FileResponse(_FILES / "page.css")


@router.get("/page.js")
async def script() -> FileResponse:
    """Its script."""
    return FileResponse(_FILES / "page.js")
