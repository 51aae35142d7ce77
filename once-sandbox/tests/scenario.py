"""An account in which something of everything has happened, and the calls that show it."""

from dataclasses import dataclass

from . import shapes
from . import shapes_network as network
from .schema import Schema, each
from .support import Client, iccid

A = iccid(0)
EXPIRED, FOREIGN, OFFLINE, BLOCKED, OVERRUN = iccid(1), iccid(2), iccid(3), iccid(4), iccid(5)


@dataclass(frozen=True)
class Look:
    """A GET, the path of the specification it belongs to, and the shape of its answer."""

    path: str
    template: str
    shape: Schema

    def __str__(self) -> str:
        return self.path


async def live(client: Client) -> None:
    """Let something of everything happen."""
    for sim, action in ((A, "open"), (OFFLINE, "detach"), (BLOCKED, "block"), (OVERRUN, "attach")):
        await client.control("POST", "/sessions", {"iccid": sim, "action": action, "rat": "2G"})
    await client.control("POST", "/usage", {"iccid": A, "sent_bytes": 123_456, "received_bytes": 789})
    await client.control("PATCH", f"/sims/{OVERRUN}", {"remaining_mb": 150, "remaining_sms": 1})
    await client.control("POST", "/usage", {"iccid": OVERRUN, "bytes": 160 * 1024 * 1024})
    await client.control("POST", "/usage", {"iccid": OVERRUN, "bytes": 1})
    for sim in (A, OFFLINE, OVERRUN):
        await client.post(f"/v1/sims/{sim}/sms", json={"payload": "hello", "udh": "050003CC0201"})
        await client.post(f"/v2/sims/{sim}/sms", json={"payload": "ж", "dcs": 8})
    await client.control("POST", "/sms/mo", {"iccid": A, "payload": "up"})
    await client.post(f"/v1/sims/{A}/topup?payment_method=creditcard")
    await client.post("/v1/sims/topup", json=[A, OFFLINE])
    await client.post("/v1/sims/extension", json={"iccids": [A], "productId": 1001})
    address = {"first_name": "Ada", "city": "Köln", "country": "DE"}
    order = {"products": [{"productId": 1010, "quantity": 1}], "delivery_address": address}
    await client.post("/v1/orders", json=order)
    await client.post("/v1/sims/limits", json={"dataLimitId": 9, "smsMtLimitId": 6, "smsMoLimitId": 6})
    for subject in ("one", "two"):
        await client.post("/v1/support", json={"subject": subject, "text": "help", "senderName": "Ada"})
    await client.control("POST", "/tickets/12/answer", {"text": "done", "status": "CLOSED"})
    await client.advance(30)
    await client.control("PATCH", f"/sims/{EXPIRED}", {"expires_in_seconds": -1})


OF_A_SIM: list[tuple[str, str, Schema]] = [
    ("v1", "", shapes.SIM),
    ("v1", "/status", network.STATUS_V1),
    ("v1", "/usage", shapes.USAGE),
    ("v1", "/quota/data", shapes.QUOTA_V1),
    ("v1", "/quota/sms", shapes.QUOTA_V1),
    ("v1", "/events", network.EVENTS_V1),
    ("v1", "/connectivity_info", network.INFO),
    ("v1", "/sms", each(shapes.SMS_V1)),
    ("v2", "", shapes.SIM),
    ("v2", "/status", network.STATUS_V2),
    ("v2", "/quota/data", shapes.QUOTA_V2),
    ("v2", "/quota/sms", shapes.QUOTA_V2),
    ("v2", "/events", each(network.EVENT_V2)),
    ("v2", "/sms", each(shapes.SMS_V2)),
]
"""Version, path below a SIM and shape of the answer."""


def looks() -> list[Look]:
    """Every GET of both versions, for SIMs in every state."""
    found = [
        Look("/v1/orders", "/v1/orders", each(shapes.ORDER)),
        Look("/v1/orders/2000000001", "/v1/orders/{order_number}", shapes.ORDER),
        Look("/v1/products", "/v1/products", each(shapes.PRODUCT)),
        Look("/v1/support?pageSize=100", "/v1/support", each(shapes.TICKET)),
        Look("/v1/sims/limits", "/v1/sims/limits", shapes.LIMITS),
    ]
    found += [
        Look(f"/v1/sims/{service}/limits", "/v1/sims/{service}/limits", shapes.SELECTABLE)
        for service in ("data", "smsMO", "smsMT")
    ]
    found += [
        Look(f"/{version}/sims?pageSize=100", f"/{version}/sims", each(shapes.SIM))
        for version in ("v1", "v2")
    ]
    sims = (A, EXPIRED, OFFLINE, BLOCKED, OVERRUN, iccid(40))
    found += [
        Look(f"/{version}/sims/{sim}{path}", f"/{version}/sims/{{iccid}}{path}", shape)
        for version, path, shape in OF_A_SIM
        for sim in sims
    ]
    found += [
        Look(
            f"/v1/sims/{A}/connectivity_info?ussd=true",
            "/v1/sims/{iccid}/connectivity_info",
            network.INFO,
        ),
        Look(f"/v1/sims/{A}/sms/590", "/v1/sims/{iccid}/sms/{id}", shapes.SMS_V1),
        Look(f"/v2/sims/{A}/sms/590", "/v2/sims/{iccid}/sms/{id}", shapes.SMS_V2),
    ]
    return found
