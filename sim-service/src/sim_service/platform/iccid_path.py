"""ICCIDs in paths of the API; separate from `iccid`, which also runs where FastAPI is not loaded."""

from typing import Annotated

from fastapi import Path

from sim_service.platform.iccid import Iccid

IccidPath = Annotated[
    Iccid, Path(max_length=40, description="ICCID with 19 digits, or 20 with its check digit")
]
