"""Answers against 1NCE's published specifications, where ONCE_SPECS_DIR says that they are at hand."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, FormatChecker

from .scenario import A, live, looks
from .support import Client, iccid

SPECS = os.environ.get("ONCE_SPECS_DIR")
pytestmark = pytest.mark.skipif(not SPECS, reason="ONCE_SPECS_DIR is not set")
Doc = dict[str, Any]


def documents() -> list[Doc]:
    assert SPECS is not None
    return [_readable(yaml.safe_load(path.read_text())) for path in sorted(Path(SPECS).glob("*.yml"))]


def _readable(node: Any) -> Any:
    """The same document for a JSON Schema validator.

    `nullable` becomes a type; `oneOf` becomes `anyOf`, because its branches here are objects without required
    fields: more than one of them always matches, so no answer at all could satisfy it.
    """
    if isinstance(node, list):
        return [_readable(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    result = {("anyOf" if name == "oneOf" else name): _readable(value) for name, value in node.items()}
    if result.pop("nullable", False) is True and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    return result


def response(doc: Doc, method: str, template: str, status: int) -> Doc:
    found: Doc = doc["paths"][template][method]["responses"][str(status)]
    while "$ref" in found:
        node: Any = doc
        for part in found["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        found = node
    return found


def operation(docs: list[Doc], method: str, template: str) -> Doc:
    for doc in docs:
        if method in doc["paths"].get(template, {}):
            return doc
    raise AssertionError(f"{method} {template} is in none of the specifications")


def check(docs: list[Doc], method: str, template: str, status: int, body: object) -> None:
    doc = operation(docs, method, template)
    content = response(doc, method, template, status).get("content") or {}
    described = content.get("application/json") or content.get("*/*")
    if not described:
        assert body is None, f"{method} {template} answers {status} without a body"
        return
    schema = {**described["schema"], "components": doc["components"]}
    Draft7Validator(schema, format_checker=FormatChecker()).validate(body)


async def test_every_read_agrees_with_its_specification(client: Client) -> None:
    docs = documents()
    await live(client)
    for look in looks():
        answer = await client.get(look.path)
        check(docs, "get", look.template, answer.status_code, answer.json())


async def test_every_write_agrees_with_its_specification(client: Client) -> None:
    docs = documents()
    await client.control("POST", "/sessions", {"iccid": A, "action": "detach"})
    await client.post(f"/v2/sims/{A}/sms", json={"payload": "first"})
    await client.post(f"/v1/sims/{A}/sms", json={"payload": "second"})
    update = {"iccid": A, "status": "Enabled"}
    order = {"products": [{"productId": 1001, "quantity": 1}]}
    writes: list[tuple[str, str, str, object]] = [
        ("put", f"/v1/sims/{A}", "/v1/sims/{iccid}", update),
        ("put", f"/v2/sims/{A}", "/v2/sims/{iccid}", update),
        ("put", "/v2/sims/1", "/v2/sims/{iccid}", update | {"iccid": "1"}),
        ("put", f"/v2/sims/{A}", "/v2/sims/{iccid}", {"status": "x"}),
        ("post", "/v1/sims", "/v1/sims", [update]),
        ("post", "/v1/sims/simTransfer", "/v1/sims/simTransfer", {"iccids": [iccid(9)]}),
        ("post", f"/v1/sims/{A}/reset", "/v1/sims/{iccid}/reset", None),
        ("post", f"/v2/sims/{A}/reset", "/v2/sims/{iccid}/reset", None),
        ("post", f"/v1/sims/{A}/topup", "/v1/sims/{iccid}/topup", None),
        ("post", f"/v2/sims/{A}/topup", "/v2/sims/{iccid}/topup", None),
        ("post", f"/v1/sims/{A}/topup?payment_method=x", "/v1/sims/{iccid}/topup", None),
        ("post", "/v1/sims/topup", "/v1/sims/topup", [A]),
        ("post", "/v1/sims/autoTopup", "/v1/sims/autoTopup", {"enabled": True, "iccids": [A]}),
        ("post", "/v1/sims/limits", "/v1/sims/limits", {"dataLimitId": 1}),
        ("post", "/v1/sims/extension", "/v1/sims/extension", {"iccids": [A]}),
        ("post", f"/v1/sims/{A}/sms", "/v1/sims/{iccid}/sms", {"payload": "x"}),
        ("post", f"/v2/sims/{A}/sms", "/v2/sims/{iccid}/sms", {"payload": "x"}),
        ("delete", f"/v2/sims/{A}/sms/590", "/v2/sims/{iccid}/sms/{id}", None),
        ("delete", f"/v1/sims/{A}/sms/591", "/v1/sims/{iccid}/sms/{id}", None),
        ("delete", f"/v1/sims/{A}/sms/591", "/v1/sims/{iccid}/sms/{id}", None),
        ("post", "/v1/orders", "/v1/orders", order),
        ("post", "/v1/support", "/v1/support", {"subject": "a", "text": "b"}),
    ]
    for method, path, template, body in writes:
        answer = await client.request(method, path, json=body)
        check(docs, method, template, answer.status_code, answer.json() if answer.content else None)


async def test_the_token_agrees_with_its_specification(client: Client) -> None:
    docs = documents()
    for password in ("sandbox", "wrong"):
        answer = await client.post(
            "/oauth/token", auth=("sandbox", password), json={"grant_type": "client_credentials"}
        )
        check(docs, "post", "/oauth/token", answer.status_code, answer.json())


def test_every_specified_operation_is_served(client: Client) -> None:
    del client
    served = {(method.lower(), path) for path, methods in served_operations().items() for method in methods}
    missing = [
        (method, path)
        for doc in documents()
        for path, methods in doc["paths"].items()
        for method in methods
        if (method, _plain(path)) not in served
    ]
    assert missing == []


def served_operations() -> dict[str, set[str]]:
    from once_sandbox.main import CARRIER_ROUTERS

    found: dict[str, set[str]] = {}
    for router in CARRIER_ROUTERS:
        for route in router.routes:
            found.setdefault(_plain(route.path), set()).update(route.methods)  # type: ignore[attr-defined]
    found["/v1/sims/{}/quota/data"] = found["/v1/sims/{}/quota/sms"] = found["/v1/sims/{}/quota/{}"]
    found["/v2/sims/{}/quota/data"] = found["/v2/sims/{}/quota/sms"] = found["/v2/sims/{}/quota/{}"]
    return found


def _plain(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
