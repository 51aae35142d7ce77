"""All routers of the control API."""

from once_sandbox.behaviours.api import router as behaviours
from once_sandbox.control.clock import router as clock
from once_sandbox.control.money import router as money
from once_sandbox.control.overview import router as overview
from once_sandbox.control.page import router as page
from once_sandbox.control.sessions import router as sessions
from once_sandbox.control.sims import router as sims
from once_sandbox.control.sms import router as sms
from once_sandbox.control.tickets import router as tickets
from once_sandbox.control.usage import router as usage
from once_sandbox.faults.api import router as faults
from once_sandbox.gate.api import router as requests
from once_sandbox.streams.api import router as streams

CONTROL_ROUTERS = (
    page,
    overview,
    clock,
    behaviours,
    sims,
    usage,
    sessions,
    sms,
    money,
    tickets,
    faults,
    requests,
    streams,
)
