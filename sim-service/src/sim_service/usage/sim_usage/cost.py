"""Estimates what usage costs, by the prices in the settings; the carrier's `cost` is no amount of money."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer

from fleet_kit.schemas import ResponseModel

BYTES_PER_MB = 1024 * 1024

Amount = Annotated[Decimal, PlainSerializer(lambda value: f"{value:f}", return_type=str, when_used="json")]
"""A number as text, so that no reader rounds it."""
_CENT_OF_A_CENT = Decimal("0.0001")


class CostEstimate(ResponseModel):
    """An estimate, never an invoice: volumes times the prices that this service was told."""

    amount: Amount
    currency: str
    price_per_mb: Amount
    price_per_sms: Amount


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a megabyte (1,048,576 bytes) and of a message; both None: nothing is estimated."""

    per_mb: Decimal | None
    per_sms: Decimal | None
    currency: str

    def estimate(self, data_bytes: int, messages: int) -> CostEstimate | None:
        """What the volumes may cost; a price that is not known counts as nothing."""
        if self.per_mb is None and self.per_sms is None:
            return None
        per_mb, per_sms = self.per_mb or Decimal(0), self.per_sms or Decimal(0)
        amount = per_mb * data_bytes / BYTES_PER_MB + per_sms * messages
        return CostEstimate(
            amount=amount.quantize(_CENT_OF_A_CENT),
            currency=self.currency,
            price_per_mb=per_mb,
            price_per_sms=per_sms,
        )
