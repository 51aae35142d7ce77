"""Bodies of the denylist's internal API."""

from typing import Annotated

from pydantic import Field

from fleet_kit.schemas import StrictModel, Text

Identifier = Annotated[Text, Field(min_length=1, max_length=100)]


class RevocationCheck(StrictModel):
    """May a token with this id, of this session, still be used?"""

    jti: Identifier
    sid: Identifier


class RevocationStatus(StrictModel):
    """Whether it was revoked."""

    revoked: bool
