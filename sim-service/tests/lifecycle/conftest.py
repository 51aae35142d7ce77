"""A SIM with a device for the tests of the diagnosis."""

import pytest

from once_sandbox.connectivity import sessions as network

from ..support import Fleet
from .diagnosis_support import Patient, link


@pytest.fixture
async def patient(fleet: Fleet) -> Patient:
    always = {"quota_fresh_seconds": 0, "connectivity_fresh_seconds": 0, "event_fresh_seconds": 0}
    fleet.app.state.settings = fleet.settings.model_copy(update=always)
    (iccid,) = await fleet.owned_sims(1)
    device_id = await fleet.device()
    await link(fleet, iccid, device_id)
    patient = Patient(fleet, iccid, device_id)
    network.detach(patient.world, patient.sim)
    network.attach(patient.world, patient.sim, operator=1, rat=2)
    assert patient.send() is None
    await patient.heard("online")
    return patient
