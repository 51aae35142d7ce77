"""The Redis client of every process."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

MAX_CONNECTIONS = 64


def open_redis(url: str, *, timeout_seconds: float = 0.5) -> Redis:
    """A client that fails fast: whoever uses it has another way when Redis is unavailable.

    Calls beyond MAX_CONNECTIONS wait for a connection; the default pool refuses them, as if Redis were down.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=timeout_seconds,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 1),
        decode_responses=False,
        health_check_interval=0,
    )
    return Redis.from_pool(pool)
