"""What a carrier tells and is told, in our own words. None: the carrier did not say."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Priority(StrEnum):
    """Who waits for the answer: a person's request goes before any background job's."""

    PEOPLE = "people"
    BACKGROUND = "background"


class SimStatus(StrEnum):
    """Whether the carrier lets the SIM into the network."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    UNKNOWN = "unknown"


class QuotaKind(StrEnum):
    """What a quota counts: megabytes of data, or short messages."""

    DATA = "data"
    SMS = "sms"


class QuotaState(StrEnum):
    """Above its threshold, at or below it, used up, or past its expiry date."""

    OK = "ok"
    LOW = "low"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"


class NetworkState(StrEnum):
    """How the SIM stands in the network. ATTACHED can be old news: devices vanish without saying so."""

    OFFLINE = "offline"
    ATTACHED = "attached"
    ONLINE = "online"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class SmsDirection(StrEnum):
    """MT: to the SIM. MO: from the SIM."""

    MT = "mt"
    MO = "mo"


class SmsState(StrEnum):
    """Where a message is; DELIVERED, FAILED and EXPIRED are final."""

    PENDING = "pending"
    BUFFERED = "buffered"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class SmsCoding(StrEnum):
    """TEXT: GSM 7-bit; UCS2: 16-bit characters; BINARY: the payload is hexadecimal."""

    TEXT = "text"
    UCS2 = "ucs2"
    BINARY = "binary"


class PaymentMethod(StrEnum):
    """How the carrier is paid."""

    BANK_TRANSFER = "bank_transfer"
    CREDIT_CARD = "credit_card"
    MONTHLY_INVOICE = "monthly_invoice"
    BOLETO = "boleto"


class OrderState(StrEnum):
    """Where an order is; COMPLETED and CANCELLED are final."""

    CREATED = "created"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class OrderKind(StrEnum):
    """What was ordered."""

    FIRST_ORDER = "first_order"
    ADDITIONAL_ORDER = "additional_order"
    TOPUP = "topup"
    BULK_TOPUP = "bulk_topup"
    TARIFF_CHANGE = "tariff_change"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CarrierSim:
    """A SIM as the carrier describes it."""

    iccid: str
    status: SimStatus
    iccid_with_luhn: str | None = None
    imsi: str | None = None
    imsi_2: str | None = None
    current_imsi: str | None = None
    msisdn: str | None = None
    imei: str | None = None
    imei_lock: bool | None = None
    ip_address: str | None = None
    label: str = ""
    activated_at: datetime | None = None
    data_quota_state: QuotaState | None = None
    sms_quota_state: QuotaState | None = None


@dataclass(frozen=True, slots=True)
class SimChange:
    """What to change of a SIM; None leaves it as it is. `status`: ENABLED or DISABLED."""

    status: SimStatus | None = None
    label: str | None = None
    imei_lock: bool | None = None


@dataclass(frozen=True, slots=True)
class SimPage:
    """One page of all SIMs; `total` and `pages` if the carrier tells, `skipped` rows were unreadable."""

    sims: list[CarrierSim]
    page: int
    total: int | None = None
    pages: int | None = None
    skipped: int = 0
    raw_count: int = field(default=0)


@dataclass(frozen=True, slots=True)
class UsageDay:
    """One SIM on one UTC day: bytes and messages, MO sent by the SIM, MT sent to it."""

    day: date
    data_mo_bytes: int = 0
    data_mt_bytes: int = 0
    sms_mo: int = 0
    sms_mt: int = 0


@dataclass(frozen=True, slots=True)
class CarrierQuota:
    """What is left of a quota: megabytes (of 1,048,576 bytes) or messages; `remaining` may be negative."""

    kind: QuotaKind
    remaining: Decimal
    total: Decimal
    threshold_percent: int = 20
    expires_at: datetime | None = None
    last_added: Decimal | None = None
    changed_at: datetime | None = None
    state: QuotaState = QuotaState.OK


@dataclass(frozen=True, slots=True)
class DataSession:
    """A PDP context. `rat`: radio access technology, such as `4G` or `NB-IoT`."""

    opened_at: datetime | None = None
    ip_address: str | None = None
    apn: str | None = None
    rat: str | None = None
    imei: str | None = None


@dataclass(frozen=True, slots=True)
class CarrierConnectivity:
    """How a SIM stands in the network; `country` is ISO 3166-1 alpha-2 where the carrier has it.

    `limit_reached`: the account's monthly limit stops data.
    """

    state: NetworkState
    operator: str | None = None
    operator_id: str | None = None
    country: str | None = None
    country_name: str | None = None
    mcc: str | None = None
    mnc: str | None = None
    last_updated_at: datetime | None = None
    limit_reached: bool | None = None
    services: tuple[str, ...] = ()
    session: DataSession | None = None


@dataclass(frozen=True, slots=True)
class CellInfo:
    """The cell that a SIM is attached to; only while attached on 2G or 3G."""

    reachable: bool | None = None
    rat: str | None = None
    mcc: str | None = None
    mnc: str | None = None
    lac: str | None = None
    cell_id: str | None = None
    located_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CarrierEvent:
    """Something that the network noted about a SIM.

    `id` is the carrier's, or made from the content where it gives none. `type` is our word for the carrier's
    event type; `cause` its word for why a data service failed. `severity`: info, warning or critical.
    """

    id: str
    iccid: str
    at: datetime
    type: str
    type_id: int | None = None
    severity: str = "info"
    description: str = ""
    cause: str | None = None
    operator: str | None = None
    country: str | None = None
    imsi: str | None = None
    imei: str | None = None
    detail: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SmsToSend:
    """One message of at most 140 bytes (user data header included); BINARY: `payload` is hexadecimal.

    `udh` is hexadecimal. `source`: digits or at most 11 characters.
    """

    payload: str
    coding: SmsCoding = SmsCoding.TEXT
    source: str | None = None
    udh: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CarrierSms:
    """A message as the carrier knows it."""

    id: str
    iccid: str
    direction: SmsDirection
    state: SmsState
    payload: str = ""
    coding: SmsCoding = SmsCoding.TEXT
    udh: str = ""
    source: str | None = None
    destination: str | None = None
    submitted_at: datetime | None = None
    delivered_at: datetime | None = None
    final_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CarrierOrder:
    """An order. `amount` in `currency`, taxes included; `iccids` are those it touches."""

    number: str
    kind: OrderKind
    state: OrderState
    placed_at: datetime | None = None
    amount: Decimal | None = None
    currency: str | None = None
    invoice_number: str | None = None
    iccids: tuple[str, ...] = ()
    products: tuple[tuple[int, int], ...] = ()
    shipping_address: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders, newest first."""

    orders: list[CarrierOrder]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class OrderToPlace:
    """SIMs to buy: product ids with their quantities, and where to send them."""

    products: tuple[tuple[int, int], ...]
    address: dict[str, str] | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True)
class CarrierProduct:
    """Something that can be ordered; prices are net, once."""

    id: int
    name: str
    material: str | None = None
    package_size: int | None = None
    smallest_quantity: int | None = None
    largest_quantity: int | None = None
    price: Decimal | None = None
    currency: str | None = None
    months: int | None = None
    charges: tuple[dict[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class TicketEntry:
    """One message of a ticket's conversation; `incoming` as the carrier sees it: written by us."""

    id: str
    at: datetime | None
    incoming: bool
    author: str | None
    text: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class CarrierTicket:
    """A request for help at the carrier, with its conversation, oldest first."""

    id: str
    subject: str
    text: str
    status: str
    created_at: datetime | None = None
    solved_at: datetime | None = None
    entries: tuple[TicketEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketToOpen:
    """A new request for help."""

    subject: str
    text: str
    sender: str
    reply_to: str


@dataclass(frozen=True, slots=True)
class VolumeLimit:
    """A monthly limit of the whole account; `unit` is MB or SMS."""

    id: int
    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class VolumeLimits:
    """The account's monthly limits; None: no limit."""

    data: VolumeLimit | None = None
    sms_mo: VolumeLimit | None = None
    sms_mt: VolumeLimit | None = None
