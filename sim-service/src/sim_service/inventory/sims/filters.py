"""The filters of SIM lists in SQL."""

from sqlalchemy import ColumnElement, and_, or_

from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.schemas import SimConditions
from sim_service.platform.iccid import LENGTH, luhn_digit

_IMEI, _IMEI_WITHOUT_CHECK = 15, 14


def conditions(wanted: SimConditions) -> list[ColumnElement[bool]]:
    exactly = (
        (Sim.status, wanted.status),
        (Sim.device_id, wanted.device_id),
        (Sim.label, wanted.label),
        (Sim.desired_status, wanted.desired_status),
        (Sim.lifecycle, wanted.lifecycle),
    )
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in exactly if value is not None
    ]
    if wanted.tag:
        conditions.append(Sim.tags.contains(wanted.tag))
    if wanted.quota_state is not None:
        state = wanted.quota_state
        conditions.append(or_(Sim.data_quota_state == state, Sim.sms_quota_state == state))
    for column, answer in (
        (Sim.device_id, wanted.linked),
        (Sim.organization_id, wanted.claimed),
        (Sim.missing_since, wanted.missing),
    ):
        if answer is not None:
            conditions.append(column.is_not(None) if answer else column.is_(None))
    if wanted.search:
        conditions.append(_search(wanted.search.lower()))
    return conditions


def _search(term: str) -> ColumnElement[bool]:
    """Anywhere in the searched columns; ICCIDs also with their check digit, IMEIs also with theirs.

    Carriers report the IMEISV (14 digits and the software version), devices show 14 and a check digit.
    """
    found = Sim.search_text.contains(term, autoescape=True)
    if not (term.isascii() and term.isdigit()) or luhn_digit(term[:-1]) != int(term[-1]):
        return found
    if len(term) == LENGTH + 1:
        return or_(found, Sim.iccid == term[:-1])
    if len(term) == _IMEI:
        body = term[:_IMEI_WITHOUT_CHECK]
        return or_(found, and_(Sim.search_text.contains(body), Sim.imei.startswith(body)))
    return found
