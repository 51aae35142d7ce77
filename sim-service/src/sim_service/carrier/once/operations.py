"""Every operation of the 1NCE Management API that we use, with the API versions that have it, best first.

v2 is preferred: v1 retires at the end of 2026. What exists only in v1 stays there until 1NCE offers more.
"""

from dataclasses import dataclass

from fleet_kit.errors import FleetError, NotFound
from sim_service.carrier.errors import CarrierOperationUnavailable, CarrierSimNotFound

V1, V2 = "v1", "v2"
SIMS, ORDERS, PRODUCTS, SUPPORT = "sims", "orders", "products", "support"
"""Lanes: groups of paths, each with a rate limit of its own."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. `repeatable`: sending it twice does no harm, so it may be retried after any failure.

    `about`: what a 404 says to be missing (`sim`, `sms`, `order`; empty: the operation itself). `lane`: whose
    rate limit it counts against.
    """

    name: str
    method: str
    path: str
    versions: tuple[str, ...]
    repeatable: bool = True
    about: str = "sim"
    lane: str = SIMS


def unavailable(operation: Operation) -> CarrierOperationUnavailable:
    return CarrierOperationUnavailable(
        f"the carrier does not offer {operation.name!r} in the API versions in use",
        details={"operation": operation.name, "versions": list(operation.versions)},
    )


def missing(operation: Operation) -> FleetError:
    """The error for a 404."""
    if operation.about == "sim":
        return CarrierSimNotFound("the carrier does not know this SIM")
    if operation.about == "sms":
        return NotFound("the carrier does not know this message (any more)", code="SMS_NOT_FOUND")
    if operation.about == "order":
        return NotFound("the carrier does not know this order", code="ORDER_NOT_FOUND")
    return unavailable(operation)


_SIM, _SMS = "/sims/{iccid}", "/sims/{iccid}/sms/{item}"

LIST_SIMS = Operation("list_sims", "GET", "/sims", (V2, V1), about="")
GET_SIM = Operation("get_sim", "GET", _SIM, (V2, V1))
CHANGE_SIM = Operation("change_sim", "PUT", _SIM, (V2, V1))
DATA_QUOTA = Operation("data_quota", "GET", f"{_SIM}/quota/data", (V2, V1))
SMS_QUOTA = Operation("sms_quota", "GET", f"{_SIM}/quota/sms", (V2, V1))
USAGE = Operation("usage", "GET", f"{_SIM}/usage", (V1,))

CONNECTIVITY = Operation("connectivity", "GET", f"{_SIM}/status", (V2, V1))
CELL_INFO = Operation("cell_info", "GET", f"{_SIM}/connectivity_info", (V1,))
RESET = Operation("reset", "POST", f"{_SIM}/reset", (V2, V1))
EVENTS = Operation("events", "GET", f"{_SIM}/events", (V2, V1))

SEND_SMS = Operation("send_sms", "POST", f"{_SIM}/sms", (V2, V1), repeatable=False)
LIST_SMS = Operation("list_sms", "GET", f"{_SIM}/sms", (V2, V1))
GET_SMS = Operation("get_sms", "GET", _SMS, (V2, V1), about="sms")
CANCEL_SMS = Operation("cancel_sms", "DELETE", _SMS, (V2, V1), about="sms")

TOP_UP = Operation("top_up", "POST", f"{_SIM}/topup", (V2, V1), repeatable=False)
TOP_UP_MANY = Operation("top_up_many", "POST", "/sims/topup", (V1,), repeatable=False)
AUTO_TOP_UP = Operation("auto_top_up", "POST", "/sims/autoTopup", (V1,))
EXTEND_SIMS = Operation("extend_sims", "POST", "/sims/extension", (V1,), repeatable=False)
LIST_ORDERS = Operation("list_orders", "GET", "/orders", (V1,), about="", lane=ORDERS)
GET_ORDER = Operation("get_order", "GET", "/orders/{item}", (V1,), about="order", lane=ORDERS)
PLACE_ORDER = Operation("place_order", "POST", "/orders", (V1,), repeatable=False, about="", lane=ORDERS)
LIST_PRODUCTS = Operation("products", "GET", "/products", (V1,), about="", lane=PRODUCTS)

LIST_TICKETS = Operation("list_tickets", "GET", "/support", (V1,), about="", lane=SUPPORT)
OPEN_TICKET = Operation("open_ticket", "POST", "/support", (V1,), repeatable=False, about="", lane=SUPPORT)
LIMITS = Operation("limits", "GET", "/sims/limits", (V1,), about="")
LIMIT_CHOICES = Operation("limit_choices", "GET", "/sims/{item}/limits", (V1,), about="")
SET_LIMITS = Operation("set_limits", "POST", "/sims/limits", (V1,), about="")
TRANSFER_SIMS = Operation("transfer_sims", "POST", "/sims/simTransfer", (V1,), repeatable=False)
