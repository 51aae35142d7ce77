"""POST /oauth/token, the same for v1 and v2."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from once_sandbox.deps import CurrentSandbox
from once_sandbox.tokens import service

router = APIRouter(tags=["Authorization"])


@router.post("/oauth/token")
async def obtain_token(request: Request, sandbox: CurrentSandbox) -> JSONResponse:
    """An access token for the client id and secret in the Basic header."""
    headers = request.headers
    answer = service.grant(
        sandbox,
        content_type=headers.get("content-type", ""),
        authorization=headers.get("authorization", ""),
        body=await request.body(),
    )
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})
