"""The contract is RabbitMQ's HTTP backend: a form in, the plain text `allow` or `deny` out, always 200.

Source: README of the plugin rabbitmq_auth_backend_http. Failures answer 503, which the broker takes as no.
"""

from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse

from device_service.broker.rules import AccessRequest
from device_service.broker.service import BrokerService

router = APIRouter(prefix="/broker")
Form = dict[str, str]


async def _form(request: Request) -> Form:
    body = (await request.body()).decode("utf-8", "replace")
    # Names that differ only in what is no UTF-8 would become one, whose sessions no limit could tell apart.
    try:
        return dict(parse_qsl(body, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        return {}


async def _service(request: Request) -> BrokerService:
    service: BrokerService = request.app.state.broker
    return service


RequestForm = Annotated[Form, Depends(_form)]
Broker = Annotated[BrokerService, Depends(_service)]


def _answer(allowed: bool) -> PlainTextResponse:
    # RabbitMQ's client (Erlang's httpc) sends what it asks behind a question that is still unanswered, on the
    # same connection, as long as it may keep one: everybody's logins would wait for the slowest.
    return PlainTextResponse("allow" if allowed else "deny", headers={"Connection": "close"})


def _access_request(form: Form) -> AccessRequest:
    return AccessRequest(
        device_id=form.get("username", ""),
        kind=form.get("resource", ""),
        name=form.get("name", ""),
        permission=form.get("permission", ""),
        routing_key=form.get("routing_key", ""),
    )


@router.post("/user")
async def user(form: RequestForm, broker: Broker) -> PlainTextResponse:
    """May this device log in over MQTT with this key?"""
    username, password = form.get("username", ""), form.get("password", "")
    return _answer(await broker.may_log_in(username, password, form.get("client_id", "")))


@router.post("/vhost")
async def vhost(form: RequestForm, broker: Broker) -> PlainTextResponse:
    """May it use this virtual host?"""
    return _answer(broker.may_enter(form.get("username", ""), form.get("vhost", "")))


@router.post("/resource")
async def resource(form: RequestForm, broker: Broker) -> PlainTextResponse:
    """May it configure, write or read this queue or exchange?"""
    return _answer(broker.may_use(_access_request(form), form.get("vhost", "")))


@router.post("/topic")
async def topic(form: RequestForm, broker: Broker) -> PlainTextResponse:
    """May it write or read with this routing key?"""
    return _answer(await broker.may_use_topic(_access_request(form), form.get("vhost", "")))
