"""Labels of an import: they are changes at the carrier, so each becomes an action of its SIM."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, insert, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from sim_service.inventory.sims.models import Sim
from sim_service.lifecycle.actions.models import OPEN_STATES, ActionKind, ActionState, SimAction
from sim_service.provisioning.imports.staging import run_on_many, same_sim, staged


class LabelRequests:
    """The staged labels of one organisation's import; `scope` names it."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def count(self) -> int:
        """How many rows ask for a label that neither is there nor is on its way."""
        statement = select(func.count()).select_from(staged).join(Sim, same_sim())
        return (await self._session.scalar(statement.where(self._label_differs()))) or 0

    async def add(self, by: UUID) -> None:
        """Add an action for each label that is to change; it supersedes an open one."""
        relabelled = select(staged.c.iccid).join(Sim, same_sim()).where(self._label_differs())
        await run_on_many(
            self._session, update(staged).values(relabelled=True).where(staged.c.iccid.in_(relabelled))
        )
        await run_on_many(
            self._session,
            update(SimAction)
            .values(state=ActionState.SUPERSEDED, finished_at=func.now())
            .where(self._open_label(), SimAction.iccid == staged.c.iccid, staged.c.relabelled),
        )
        columns: dict[str, ColumnElement[Any]] = {
            "id": staged.c.action_id,
            "iccid": staged.c.iccid,
            "organization_id": literal(self._scope.organization_id),
            "what": literal(ActionKind.LABEL.value),
            "wanted": func.to_jsonb(staged.c.label),
            "state": literal(ActionState.PENDING.value),
            "priority": literal(1),
            "attempts": literal(0),
            "requested_by": literal(by),
        }
        rows = select(*columns.values()).where(staged.c.relabelled)
        await run_on_many(self._session, insert(SimAction).from_select(list(columns), rows))

    def _open_label(self) -> ColumnElement[bool]:
        return and_(
            self._scope.where(SimAction.organization_id),
            SimAction.what == ActionKind.LABEL,
            SimAction.state.in_(OPEN_STATES),
        )

    def _label_differs(self) -> ColumnElement[bool]:
        """Compared with an open action, if there is one: it may have reached the carrier already."""
        open_label = select(SimAction.wanted.op("#>>")(text("'{}'")))
        open_label = open_label.where(self._open_label(), SimAction.iccid == staged.c.iccid)
        present = func.coalesce(open_label.correlate(staged).scalar_subquery(), Sim.label)
        return and_(staged.c.label.is_not(None), staged.c.label != present)
