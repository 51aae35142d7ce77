"""Alarms of the broker: while its disk or memory is nearly used up, whoever publishes waits."""

import httpx

from fleet_kit.health import Check, Degraded

_PATH = "/api/health/checks/alarms"


def broker_alarms(management: httpx.AsyncClient) -> Check:
    """Raises Degraded while an alarm holds publishers; needs the management API, unlike an AMQP login."""

    async def check() -> None:
        answer = await management.get(_PATH)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            resources = sorted({str(alarm["resource"]) for alarm in answer.json()["alarms"]})
            raise Degraded(f"the broker holds publishers, for it runs out of {' and '.join(resources)}")
        answer.raise_for_status()

    return check
