from fleet_kit.http_client import open_http


async def test_the_shared_client_ignores_proxies_of_the_environment() -> None:
    async with open_http() as http:
        assert not http.trust_env
