"""The fleet's real servers as child processes: what to prepare, what to run, and when each one is ready."""

from fleet_infra.servers.base import NotReady, Process, Server, wait_ready
from fleet_infra.servers.mongo import MongoServer
from fleet_infra.servers.postgres import PostgresServer
from fleet_infra.servers.rabbitmq import RabbitServer
from fleet_infra.servers.redis import RedisServer

__all__ = [
    "MongoServer",
    "NotReady",
    "PostgresServer",
    "Process",
    "RabbitServer",
    "RedisServer",
    "Server",
    "wait_ready",
]
