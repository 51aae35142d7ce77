"""Waiting until every process says that it is well."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from fleet_infra.programs import services
from fleet_infra.settings import FleetSettings

WORKING = ("ok", "degraded")


class Unhealthy(Exception):
    """Processes that were not well in time, with what they said."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        super().__init__("; ".join(f"{name}: {answer}" for name, answer in answers.items()))


def health_urls(settings: FleetSettings) -> dict[str, str]:
    """Health address of every API and worker, and of the gateway."""
    urls = {}
    for service in services(settings):
        urls[f"{service.name}-service"] = f"http://127.0.0.1:{service.port}/health"
        urls[f"{service.name}-worker"] = f"http://127.0.0.1:{service.worker_port}/health"
    return urls | {"nginx": f"{settings.gateway_url}/health"}


def wait_healthy(settings: FleetSettings, timeout: float) -> None:
    """Wait for all; raises Unhealthy."""
    urls = health_urls(settings)
    deadline = time.monotonic() + timeout
    with httpx.Client(timeout=5, trust_env=False) as client, ThreadPoolExecutor(max_workers=3) as pool:
        while urls:
            answers = dict(
                zip(urls, pool.map(lambda url: ask(client, url), list(urls.values())), strict=True)
            )
            answers = {name: answer for name, answer in answers.items() if not answer.startswith(WORKING)}
            urls = {name: urls[name] for name in answers}
            if answers and time.monotonic() > deadline:
                raise Unhealthy(answers)
            time.sleep(0.2 if answers else 0)


def ask(client: httpx.Client, url: str) -> str:
    """`ok`, `degraded` with what an operator has to look at, or what the process answered instead."""
    try:
        answer = client.get(url)
    except httpx.HTTPError as error:
        return f"no answer ({type(error).__name__})"
    if answer.status_code != httpx.codes.OK:
        return f"{answer.status_code} {answer.text[:300]}"
    body = answer.json()
    if body["status"] == "degraded":
        found = "; ".join(f"{name}: {text}" for name, text in body["checks"].items() if text != "ok")
        return f"degraded ({found})"
    return "ok"
