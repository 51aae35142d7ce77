import asyncpg
import httpx
import pymongo
import redis

from fleet_infra.definitions import topology_definitions
from fleet_infra.testing import UrlFactory


async def test_each_postgres_database_is_fresh(postgres_url: UrlFactory) -> None:
    first, second = postgres_url("one"), postgres_url("one")

    assert first != second
    connection = await asyncpg.connect(first.replace("+asyncpg", ""))
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()


def test_each_redis_database_is_empty_and_its_own(make_redis_url: UrlFactory) -> None:
    first, second = make_redis_url(), make_redis_url()

    with redis.Redis.from_url(first) as one, redis.Redis.from_url(second) as two:
        one.set("key", "value")
        assert two.get("key") is None


def test_a_fresh_vhost_has_every_queue_and_binding(amqp_url: str, rabbitmq_management: httpx.Client) -> None:
    vhost = amqp_url.rsplit("/", 1)[1]
    expected = topology_definitions()

    queues = rabbitmq_management.get(f"/queues/{vhost}").json()
    bindings = rabbitmq_management.get(f"/bindings/{vhost}").json()

    assert {queue["name"] for queue in queues} == {queue["name"] for queue in expected["queues"]}
    named = {(b["source"], b["destination"], b["routing_key"]) for b in bindings if b["source"]}
    assert named == {(b["source"], b["destination"], b["routing_key"]) for b in expected["bindings"]}


def test_mongo_takes_documents_in_a_fresh_database(mongo_url: str, mongo_database: str) -> None:
    client: pymongo.MongoClient[dict[str, int]] = pymongo.MongoClient(mongo_url)

    client[mongo_database]["things"].insert_one({"_id": 1})

    assert client[mongo_database]["things"].count_documents({}) == 1
    client.close()
