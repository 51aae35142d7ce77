"""How amounts of money are stored and shown."""

from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer
from sqlalchemy import Numeric

Amount = Numeric(14, 4)
"""Four decimals, so that a share of an order for many SIMs is not rounded away."""

Money = Annotated[Decimal, PlainSerializer(lambda value: f"{value:.2f}", return_type=str, when_used="json")]
"""Text with two decimals in JSON, so that no reader rounds it."""
