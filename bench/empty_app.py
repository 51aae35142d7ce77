"""An empty FastAPI route on the path of a device: what `GET /devices/{id}` is compared with."""

import sys

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/api/v1/devices/{device_id}")
async def empty(device_id: str) -> dict[str, str]:
    """Answer with what it was asked for."""
    return {"id": device_id}


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), log_level="warning", access_log=False, loop="uvloop", http="httptools"
    )
