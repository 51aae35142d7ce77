from fleet_kit.schemas import ResponseModel, Timestamp
from sim_service.carrier.freshness import Freshness, Known, freshness
from sim_service.carrier.models import NetworkState
from sim_service.lifecycle.connectivity.models import SimConnectivity


class SessionOut(ResponseModel):
    """A data session. `rat`: radio access technology, such as `4G` or `NB-IoT`."""

    opened_at: Timestamp | None
    ip_address: str | None
    apn: str | None
    rat: str | None
    imei: str | None


class ConnectivityOut(Freshness):
    """How a SIM stands in the network. `country` is ISO 3166-1 alpha-2.

    `last_updated_at`: the network's last sign of the device. `attached_stale`: it says `attached` without a
    sign for so long that the device may well be gone. `limit_reached`: the account's monthly limit stops
    data.
    """

    iccid: str
    state: NetworkState
    attached_stale: bool
    operator: str | None
    operator_id: str | None
    country: str | None
    country_name: str | None
    mcc: str | None
    mnc: str | None
    services: list[str]
    limit_reached: bool | None
    last_updated_at: Timestamp | None
    session: SessionOut | None
    reset_requested_at: Timestamp | None

    @classmethod
    def of(cls, known: Known[SimConnectivity], attached_trusted_seconds: float) -> "ConnectivityOut":
        row = known.value
        own = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        stale = row.attached_is_stale(attached_trusted_seconds)
        return cls.model_validate({**own, "attached_stale": stale, **freshness(known)})


class CellOut(Freshness):
    """The cell that the visited network told; all null while it does not know the device."""

    iccid: str
    reachable: bool | None = None
    rat: str | None = None
    mcc: str | None = None
    mnc: str | None = None
    lac: str | None = None
    cell_id: str | None = None
    located_at: Timestamp | None = None

    @classmethod
    def of(cls, known: Known[SimConnectivity]) -> "CellOut":
        return cls.model_validate(
            {"iccid": known.value.iccid, **(known.value.cell or {}), **freshness(known)}
        )


class ResetOut(ResponseModel):
    """A reset that the carrier took on; the device logs in anew within some minutes."""

    iccid: str
    reset_requested_at: Timestamp
