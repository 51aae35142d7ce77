"""The broker's definitions, loaded at its boot: users, permissions, exchanges, queues, bindings, policies."""

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet_contracts import topology
from fleet_contracts.topology import DEVICES_VHOST, SERVICES_VHOST
from fleet_infra.device_limits import SUBSCRIPTIONS, DeviceLimits


@dataclass(frozen=True)
class Rights:
    """The three patterns of RabbitMQ's permissions in one virtual host."""

    configure: str = "^$"
    write: str = "^$"
    read: str = "^$"


EVERYTHING = Rights(".*", ".*", ".*")


@dataclass(frozen=True)
class BrokerUser:
    """A user of the broker, with its rights in each virtual host that it may enter."""

    name: str
    password: str
    rights: Mapping[str, Rights]
    tags: tuple[str, ...] = ()


def password_hash(name: str, password: str) -> str:
    """RabbitMQ's salted SHA-256. The salt follows from the input, so the same input gives the same file."""
    salt = hashlib.sha256(f"salt:{name}:{password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def topology_definitions(vhost: str = SERVICES_VHOST) -> dict[str, list[dict[str, Any]]]:
    """Exchanges, queues, bindings and policies of a virtual host, as the management API takes them."""
    exchanges = [
        {
            "name": e.name,
            "type": e.type,
            "durable": True,
            "auto_delete": False,
            "internal": False,
            "arguments": {},
        }
        for e in topology.EXCHANGES[vhost]
    ]
    queues = [
        {"name": q.name, "durable": True, "auto_delete": False, "arguments": q.arguments}
        for q in topology.declared_queues(vhost)
    ]
    bindings = [
        {
            "source": exchange,
            "destination": queue,
            "destination_type": "queue",
            "routing_key": key,
            "arguments": {},
        }
        for exchange, queue, key in topology.declared_bindings(vhost)
    ]
    policies = [policy_entry(policy) for policy in topology.POLICIES]
    return {"exchanges": exchanges, "queues": queues, "bindings": bindings, "policies": policies}


def definitions(users: list[BrokerUser], limits: DeviceLimits) -> dict[str, Any]:
    """Everything the broker has to know before the first device connects."""
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for vhost in topology.QUEUES:
        for kind, entries in topology_definitions(vhost).items():
            parts[kind] += [{**entry, "vhost": vhost} for entry in entries]
    parts["policies"].append({**policy_entry(SUBSCRIPTIONS), "vhost": DEVICES_VHOST})
    return {
        "vhosts": [{"name": vhost} for vhost in topology.QUEUES],
        "users": [user_entry(user) for user in users],
        "permissions": [permission_entry(user, vhost) for user in users for vhost in user.rights],
        "topic_permissions": [],
        "parameters": [limits.parameter(DEVICES_VHOST)],
        "global_parameters": [],
        **parts,
    }


def definitions_json(users: list[BrokerUser], limits: DeviceLimits) -> str:
    """The same as the text of a definitions file."""
    return json.dumps(definitions(users, limits), indent=1, sort_keys=True) + "\n"


def policy_entry(policy: topology.Policy) -> dict[str, Any]:
    """The policy as the management API takes it for one vhost."""
    return {**vars(policy), "apply-to": "queues", "priority": 0}


def user_entry(user: BrokerUser) -> dict[str, Any]:
    return {
        "name": user.name,
        "password_hash": password_hash(user.name, user.password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ",".join(user.tags),
        "limits": {},
    }


def permission_entry(user: BrokerUser, vhost: str) -> dict[str, str]:
    """The user's rights in one virtual host, as the management API takes them."""
    return {"user": user.name, "vhost": vhost, **vars(user.rights[vhost])}
