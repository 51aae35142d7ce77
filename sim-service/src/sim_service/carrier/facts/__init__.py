"""What a carrier tells and is told, in our own words. None: the carrier did not say."""

from sim_service.carrier.facts.account import (
    CarrierTicket,
    TicketEntry,
    TicketToOpen,
    VolumeLimit,
    VolumeLimits,
)
from sim_service.carrier.facts.clocks import CLOCKS_DIFFER
from sim_service.carrier.facts.money import (
    CarrierOrder,
    CarrierProduct,
    OrderKind,
    OrderPage,
    OrderState,
    OrderToPlace,
    PaymentMethod,
)
from sim_service.carrier.facts.network import (
    CarrierConnectivity,
    CarrierEvent,
    CellInfo,
    DataSession,
    NetworkState,
)
from sim_service.carrier.facts.priority import Priority
from sim_service.carrier.facts.sims import (
    CarrierQuota,
    CarrierSim,
    QuotaKind,
    QuotaState,
    SimChange,
    SimPage,
    SimStatus,
    UsageDay,
)
from sim_service.carrier.facts.sms import (
    CarrierSms,
    SmsCoding,
    SmsDirection,
    SmsState,
    SmsToSend,
)

__all__ = [
    "CLOCKS_DIFFER",
    "CarrierConnectivity",
    "CarrierEvent",
    "CarrierOrder",
    "CarrierProduct",
    "CarrierQuota",
    "CarrierSim",
    "CarrierSms",
    "CarrierTicket",
    "CellInfo",
    "DataSession",
    "NetworkState",
    "OrderKind",
    "OrderPage",
    "OrderState",
    "OrderToPlace",
    "PaymentMethod",
    "Priority",
    "QuotaKind",
    "QuotaState",
    "SimChange",
    "SimPage",
    "SimStatus",
    "SmsCoding",
    "SmsDirection",
    "SmsState",
    "SmsToSend",
    "TicketEntry",
    "TicketToOpen",
    "UsageDay",
    "VolumeLimit",
    "VolumeLimits",
]
