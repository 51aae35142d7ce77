"""A SIM card and the collection of them."""

from dataclasses import dataclass, field

from once_sandbox.quotas.models import Quota
from once_sandbox.sims import identity

ORGANISATION = 26_100
"""The customer whose credentials the sandbox accepts."""


@dataclass(slots=True)
class Sim:
    """One card. Numbers that follow from its index are computed, so 100,000 cards stay small."""

    index: int
    iccid: str
    enabled: bool
    label: str
    imei: str | None
    imei_lock: bool
    activated_at: float
    data: Quota
    sms: Quota
    before_data: int
    before_sms: int
    auto_topup: bool = False
    organisation: int = ORGANISATION
    product_id: int = 1001

    @property
    def imsi(self) -> str:
        """The first IMSI."""
        return identity.imsi(self.index)

    @property
    def second_imsi(self) -> str | None:
        """The IMSI for China, which one card in ten has."""
        return identity.second_imsi(self.index) if self.index % 10 == 7 else None

    @property
    def msisdn(self) -> str:
        """The telephone number."""
        return identity.msisdn(self.index)

    @property
    def ip_address(self) -> str:
        """The fixed private address."""
        return identity.ip_address(self.index)

    @property
    def iccid_with_luhn(self) -> str:
        """The 20 digits that a modem reports."""
        return f"{self.iccid}{identity.luhn_digit(self.iccid)}"

    def expired(self, now: float) -> bool:
        """Whether only an extension is still allowed."""
        return self.data.expired(now)


@dataclass(slots=True)
class Sims:
    """All cards by ICCID, in the order in which the account got them."""

    by_iccid: dict[str, Sim] = field(default_factory=dict)
    next_index: int = 0

    def add(self, sim: Sim) -> None:
        """Put a card into the account."""
        self.by_iccid[sim.iccid] = sim
        self.next_index = max(self.next_index, sim.index + 1)

    def get(self, iccid: str) -> Sim | None:
        """The card, whoever owns it."""
        return self.by_iccid.get(iccid)

    def own(self) -> list[Sim]:
        """The customer's cards."""
        return [sim for sim in self.by_iccid.values() if sim.organisation == ORGANISATION]
