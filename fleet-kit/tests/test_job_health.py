import pytest

from fleet_kit.health import run_checks
from fleet_kit.job_health import FAILURES_IN_A_ROW, JobHealth


async def test_a_job_that_fails_round_after_round_degrades_the_health_until_it_succeeds() -> None:
    health, broken = JobHealth(), True

    async def job() -> None:
        if broken:
            raise OverflowError

    watched = health.watched("volumes", job)
    for _ in range(FAILURES_IN_A_ROW):
        assert (await run_checks({"jobs": health.check}))[0] == "ok"
        with pytest.raises(OverflowError):
            await watched()
    status, texts = await run_checks({"jobs": health.check})
    assert status == "degraded"
    assert "volumes (OverflowError" in texts["jobs"]
    broken = False
    await watched()
    assert (await run_checks({"jobs": health.check}))[0] == "ok"
