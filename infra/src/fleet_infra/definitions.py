"""The broker's definitions: users, permissions, exchanges, queues and bindings, loaded when it boots."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from fleet_contracts import topology


@dataclass(frozen=True)
class BrokerUser:
    """A user of the broker with the three patterns of RabbitMQ's permissions."""

    name: str
    password: str
    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = ()


def password_hash(name: str, password: str) -> str:
    """RabbitMQ's salted SHA-256. The salt follows from the input, so the same input gives the same file."""
    salt = hashlib.sha256(f"salt:{name}:{password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def topology_definitions() -> dict[str, list[dict[str, Any]]]:
    """Exchanges, queues and bindings of the fleet, as the management API takes them for one vhost."""
    exchanges = [
        {
            "name": e.name,
            "type": e.type,
            "durable": True,
            "auto_delete": False,
            "internal": False,
            "arguments": {},
        }
        for e in topology.EXCHANGES
    ]
    queues = [
        {"name": q.name, "durable": True, "auto_delete": False, "arguments": q.arguments}
        for q in topology.declared_queues()
    ]
    bindings = [
        {
            "source": exchange,
            "destination": queue,
            "destination_type": "queue",
            "routing_key": key,
            "arguments": {},
        }
        for exchange, queue, key in topology.declared_bindings()
    ]
    return {"exchanges": exchanges, "queues": queues, "bindings": bindings}


def definitions(users: list[BrokerUser], vhost: str = "/") -> dict[str, Any]:
    """Everything the broker has to know before the first device connects."""
    parts = {
        kind: [{**entry, "vhost": vhost} for entry in entries]
        for kind, entries in topology_definitions().items()
    }
    return {
        "vhosts": [{"name": vhost}],
        "users": [user_entry(user) for user in users],
        "permissions": [permission_entry(user, vhost) for user in users],
        "topic_permissions": [],
        "parameters": [],
        "global_parameters": [],
        "policies": [],
        **parts,
    }


def definitions_json(users: list[BrokerUser], vhost: str = "/") -> str:
    """The same as the text of a definitions file."""
    return json.dumps(definitions(users, vhost), indent=1, sort_keys=True) + "\n"


def user_entry(user: BrokerUser) -> dict[str, Any]:
    return {
        "name": user.name,
        "password_hash": password_hash(user.name, user.password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ",".join(user.tags),
        "limits": {},
    }


def permission_entry(user: BrokerUser, vhost: str) -> dict[str, str]:
    return {
        "user": user.name,
        "vhost": vhost,
        "configure": user.configure,
        "write": user.write,
        "read": user.read,
    }
