"""GET /health."""

from fastapi import APIRouter

from once_sandbox.deps import CurrentWorld

router = APIRouter(tags=["Sandbox"])


@router.get("/health")
async def health(world: CurrentWorld) -> dict[str, object]:
    """The sandbox answers, with so many SIMs."""
    return {"status": "ok", "checks": {"sims": len(world.sims.by_iccid)}}
