"""/control/streams and /control/sms-forwarder: where pushes go."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from once_sandbox.deps import CurrentSandbox
from once_sandbox.errors import ApiError
from once_sandbox.streams import service
from once_sandbox.streams.burst import burst
from once_sandbox.streams.models import Pace
from once_sandbox.streams.schemas import ForwarderConfig, StreamConfig
from once_sandbox.wire import Json

router = APIRouter(prefix="/control", tags=["Control: pushes"])


class Burst(BaseModel):
    """How many records, and which share of them repeats."""

    model_config = ConfigDict(extra="forbid")

    records: int = Field(3_000, ge=1, le=200_000)
    duplicates: float = Field(0.0, ge=0, lt=1)


@router.get("/streams")
async def list_streams(sandbox: CurrentSandbox) -> list[Json]:
    """All streams and how they fare."""
    return [stream.json() for stream in sandbox.pushes.streams.values()]


@router.post("/streams", status_code=201)
async def add_stream(config: StreamConfig, sandbox: CurrentSandbox) -> Json:
    """A new stream; it gets what happens from now on."""
    return service.add_stream(sandbox, config).json()


@router.delete("/streams/{number}", status_code=204)
async def remove_stream(number: int, sandbox: CurrentSandbox) -> Response:
    """Delete a stream with what still waits in it."""
    del sandbox.pushes.streams[service.find_stream(sandbox, number).id]
    service.listen(sandbox)
    return Response(status_code=204)


@router.post("/streams/{number}/restart")
async def restart_stream(number: int, sandbox: CurrentSandbox) -> Json:
    """Let a stopped stream go on, as the customer does in the portal."""
    stream = service.find_stream(sandbox, number)
    stream.state, stream.pace = "running", Pace()
    return stream.json()


@router.post("/streams/{number}/burst")
async def burst_stream(number: int, wanted: Burst, sandbox: CurrentSandbox) -> Json:
    """Queue made-up usage records."""
    stream = service.find_stream(sandbox, number)
    if stream.config.topic != "usage":
        raise ApiError(409, f"stream {number} carries events, bursts are of usage")
    return {"queued": burst(sandbox, stream, wanted.records, wanted.duplicates)}


@router.get("/sms-forwarder")
async def read_forwarder(sandbox: CurrentSandbox) -> Json:
    """The SMS Forwarder and how it fares."""
    pushes = sandbox.pushes
    waiting = [delivery.pace.last_error for delivery in pushes.deliveries]
    return {
        "config": pushes.forwarder.model_dump(mode="json") if pushes.forwarder else None,
        "waiting": len(waiting),
        "forwarded": pushes.forwarded,
        "given_up": pushes.given_up,
        "last_error": next((error for error in waiting if error), None),
    }


@router.put("/sms-forwarder")
async def set_forwarder(config: ForwarderConfig, sandbox: CurrentSandbox) -> Json:
    """Switch the SMS Forwarder on."""
    service.set_forwarder(sandbox, config)
    return await read_forwarder(sandbox)


@router.delete("/sms-forwarder", status_code=204)
async def remove_forwarder(sandbox: CurrentSandbox) -> Response:
    """Switch the SMS Forwarder off."""
    service.set_forwarder(sandbox, None)
    return Response(status_code=204)
