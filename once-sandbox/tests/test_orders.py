"""Everything that costs money."""

from typing import Any

import pytest

from .support import Client, iccid


async def remaining(client: Client, index: int = 0) -> float:
    volume: float = (await client.get(f"/v2/sims/{iccid(index)}/quota/data")).json()["volume"]
    return volume


async def ledger(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = (await client.control("GET", "/ledger")).json()
    return found


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_topup_brings_its_volume_when_it_is_paid(client: Client, version: str) -> None:
    before = await remaining(client)
    answer = await client.post(f"/{version}/sims/{iccid(0)}/topup")
    assert (answer.status_code, answer.content) == (201, b"")
    location = answer.headers["Location"]
    assert f"/{version}/orders/" in location
    order = f"/v1/orders/{location.rsplit('/', 1)[1]}"
    assert (await client.get(order)).json()["order_status"] == "CREATED"
    assert await remaining(client) == before, "the transfer takes days"
    await client.advance(2 * 86_400)
    paid = (await client.get(order)).json()
    assert (paid["order_type"], paid["order_status"], paid["currency"]) == ("TOPUP", "COMPLETED", "EUR")
    assert paid["sims"][0]["iccid"] == iccid(0)
    assert await remaining(client) == before + 500
    quota = (await client.get(f"/v2/sims/{iccid(0)}/quota/sms")).json()
    assert (quota["last_volume_added"], quota["accumulated_total_volume"]) == (250, 500)


async def test_there_is_no_idempotency_and_the_ledger_shows_it(client: Client) -> None:
    for _ in range(2):
        await client.post(f"/v1/sims/{iccid(0)}/topup?payment_method=creditcard")
    spent = await ledger(client)
    assert spent["topups_by_iccid"] == {iccid(0): 2}
    assert (spent["orders"], spent["net_cents"], spent["gross_cents"]) == (2, 2000, 2380)
    assert spent["paid_gross_cents"] == 0
    await client.advance(5)
    assert (await ledger(client))["paid_gross_cents"] == 2380


async def test_payment_methods(client: Client) -> None:
    refused = await client.post(f"/v1/sims/{iccid(0)}/topup?payment_method=cash")
    assert (refused.status_code, refused.json()) == (400, {"message": "Payment method used is not valid."})
    await client.behave(invalid_payment_method="default")
    assert (await client.post(f"/v1/sims/{iccid(0)}/topup?payment_method=cash")).status_code == 201
    assert (await ledger(client))["lines"][0]["payment_method"] == "banktransfer"


async def test_one_order_tops_up_many(client: Client) -> None:
    answer = await client.post("/v1/sims/topup?payment_method=creditcard", json=[iccid(0), iccid(1)])
    number = answer.headers["Location"].rsplit("/", 1)[1]
    await client.advance(5)
    order = (await client.get(f"/v1/orders/{number}")).json()
    assert (order["order_type"], order["invoice_amount"]) == ("BULK_TOPUP", "23.80")
    assert (await ledger(client))["topups_by_iccid"] == {iccid(0): 1, iccid(1): 1}
    assert (await client.post("/v1/sims/topup", json=[iccid(0), "1"])).status_code == 404
    assert (await client.post("/v1/sims/topup", json=[])).status_code == 400
    assert (await ledger(client))["orders"] == 1


async def test_payments_can_arrive_and_fail_by_hand(client: Client) -> None:
    before = await remaining(client)
    numbers = [
        (await client.post(f"/v1/sims/{iccid(0)}/topup")).headers["Location"].rsplit("/", 1)[1]
        for _ in range(2)
    ]
    await client.control("POST", f"/orders/{numbers[0]}/pay")
    await client.control("POST", f"/orders/{numbers[0]}/pay")
    await client.control("POST", f"/orders/{numbers[1]}/refuse")
    await client.advance(10 * 86_400)
    assert await remaining(client) == before + 500
    assert (await ledger(client))["orders"] == 1
    assert (await client.post(f"/control/orders/{numbers[0]}/refuse")).status_code == 409


async def test_auto_topup_fires_below_twenty_percent_once_until_paid(client: Client) -> None:
    await client.behave(payment_seconds={"monthlyinvoice": 86_400})
    body = {"enabled": True, "iccids": [iccid(0), iccid(1)]}
    answer = await client.post("/v1/sims/autoTopup", json=body)
    assert (answer.status_code, answer.content) == (201, b"")
    await client.control("PATCH", f"/sims/{iccid(0)}", {"remaining_mb": 99})
    await client.advance(3 * 14_400)
    spent = await ledger(client)
    assert spent["topups_by_iccid"] == {iccid(0): 1}
    assert spent["lines"][0]["automatic"] is True
    await client.advance(86_400)
    assert await remaining(client) == 599
    await client.post("/v1/sims/autoTopup", json={"enabled": False, "iccids": [iccid(0)]})
    await client.control("PATCH", f"/sims/{iccid(0)}", {"remaining_mb": 1})
    await client.advance(86_400)
    assert (await ledger(client))["orders"] == 1


async def test_an_expired_sim_takes_an_extension_and_nothing_else(client: Client) -> None:
    await client.control("PATCH", f"/sims/{iccid(0)}", {"expires_in_seconds": -5})
    assert (await client.post(f"/v1/sims/{iccid(0)}/topup")).status_code == 422
    assert (await client.post(f"/v1/sims/{iccid(0)}/reset")).status_code == 422
    answer = await client.post(
        "/v1/sims/extension?payment_method=creditcard", json={"iccids": [iccid(0)], "productId": 1002}
    )
    assert answer.status_code == 201
    await client.advance(5)
    assert (await client.post(f"/v1/sims/{iccid(0)}/topup")).status_code == 201
    quota = (await client.get(f"/v2/sims/{iccid(0)}/quota/data")).json()
    assert quota["status"]["description"] == "ACTIVE"
    assert (await client.post("/v1/sims/extension", json={"iccids": []})).status_code == 400


async def test_ordered_sims_are_paid_and_shipped(client: Client) -> None:
    body = {"products": [{"productId": 1010, "quantity": 2}], "customer_reference": "field trial"}
    answer = await client.post("/v1/orders", json=body)
    assert answer.status_code == 201
    number = answer.headers["Location"].rsplit("/", 1)[1]
    await client.advance(3)
    assert (await client.get(f"/v1/orders/{number}")).json()["order_status"] == "IN_PROGRESS"
    await client.advance(60)
    order = (await client.get(f"/v1/orders/{number}")).json()
    assert order["order_status"] == "COMPLETED"
    assert order["products"] == [{"product_id": 1010, "quantity": 2}]
    assert len(order["sims"]) == 20
    assert (await client.get("/v2/sims")).headers["X-Total-Count"] == "80"
    assert (await client.get(f"/v2/sims/{order['sims'][0]['iccid']}")).json()["status"] == "Enabled"
    bad = {"products": [{"productId": 4711, "quantity": 1}]}
    assert (await client.post("/v1/orders", json=bad)).status_code == 400
    assert (await client.post("/v1/orders", json={"products": []})).status_code == 400


async def test_orders_have_pages_of_ten(client: Client) -> None:
    for index in range(12):
        await client.post(f"/v1/sims/{iccid(index % 10)}/topup")
    first = await client.get("/v1/orders")
    assert len(first.json()) == 10
    assert first.headers["X-Total-Count"] == "12"
    newest = (await client.get("/v1/orders?sort=-order_number&pageSize=1")).json()[0]
    assert newest["order_number"] == 2_000_000_012
    assert (await client.get("/v1/orders?pageSize=11")).status_code == 400
    assert (await client.get("/v1/orders/1")).status_code == 404
    assert (await client.get("/v1/orders/x")).status_code == 400
    assert (await client.get("/v1/orders?sort=amount")).status_code == 400


async def test_products_and_tickets(client: Client) -> None:
    products = (await client.get("/v1/products")).json()
    assert {product["id"] for product in products} >= {1001}
    for subject in ("first", "second"):
        opened = await client.post(
            "/v1/support",
            json={"subject": subject, "text": "help", "senderName": "A", "replyToMail": "a@example.com"},
        )
        assert (opened.status_code, opened.content) == (201, b"")
    listed = await client.get("/v1/support")
    assert [ticket["subject"] for ticket in listed.json()] == ["second"], "a page has one ticket by default"
    assert listed.headers["X-Total-Count"] == "2"
    number = listed.json()[0]["caseId"]
    await client.control("POST", f"/tickets/{number}/answer", {"text": "done", "status": "CLOSED"})
    ticket = (await client.get("/v1/support?pageSize=100")).json()[0]
    assert (ticket["status"], len(ticket["communications"])) == ("CLOSED", 2)
    assert [said["direction"] for said in ticket["communications"]] == ["IN", "OUT"]
    assert ticket["solvedDate"]
    assert (await client.post("/v1/support", json={"subject": "x"})).status_code == 400
    assert (await client.post("/control/tickets/1/answer", json={"text": "?"})).status_code == 404
