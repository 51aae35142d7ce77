"""What a carrier is sent and answers, in the platform's own terms. None: the carrier did not say."""
# ruff: noqa: F401
# mypy: implicit-reexport

from sim_service.carrier.models.account import (
    CarrierTicket,
    TicketEntry,
    TicketToOpen,
    VolumeLimit,
    VolumeLimits,
)
from sim_service.carrier.models.calls import MAX_CLOCK_SKEW, Priority
from sim_service.carrier.models.network import (
    CarrierConnectivity,
    CarrierEvent,
    CellInfo,
    DataSession,
    NetworkState,
)
from sim_service.carrier.models.orders import (
    CarrierOrder,
    CarrierProduct,
    OrderKind,
    OrderPage,
    OrderState,
    OrderToPlace,
    PaymentMethod,
)
from sim_service.carrier.models.sims import (
    CarrierQuota,
    CarrierSim,
    QuotaKind,
    QuotaState,
    SimChange,
    SimPage,
    SimStatus,
    UsageDay,
)
from sim_service.carrier.models.sms import CarrierSms, SmsCoding, SmsDirection, SmsState, SmsToSend
