"""/control/faults: rules that make calls and pushes go wrong."""

from fastapi import APIRouter, Response

from once_sandbox.deps import CurrentSandbox
from once_sandbox.faults.schemas import ActiveRule, FaultRule

router = APIRouter(prefix="/control/faults", tags=["Control: faults"])


@router.get("")
async def list_rules(sandbox: CurrentSandbox) -> list[ActiveRule]:
    """All rules, with how often each has hit."""
    return list(sandbox.faults.rules.values())


@router.post("", status_code=201)
async def add_rule(rule: FaultRule, sandbox: CurrentSandbox) -> ActiveRule:
    """Switch a rule on."""
    return sandbox.faults.add(rule)


@router.delete("", status_code=204)
async def remove_rules(sandbox: CurrentSandbox) -> Response:
    """Switch every rule off."""
    sandbox.faults.rules.clear()
    return Response(status_code=204)


@router.delete("/{number}", status_code=204)
async def remove_rule(number: int, sandbox: CurrentSandbox) -> Response:
    """Switch one rule off."""
    sandbox.faults.remove(number)
    return Response(status_code=204)
