"""What can be found: each rule looks at the evidence and returns a cause or None."""

from collections.abc import Callable

from sim_service.lifecycle.diagnosis.evidence import Cause, Evidence
from sim_service.lifecycle.diagnosis.rules import card, device, network, refusals, volume

Rule = Callable[[Evidence], Cause | None]

RULES: tuple[Rule, ...] = (
    card.unknown_at_carrier,
    card.in_another_account,
    card.missing,
    card.disabled,
    card.change_under_way,
    volume.data_expired,
    volume.data_exhausted,
    volume.monthly_limit,
    network.blocked,
    refusals.refused,
    network.never_attached,
    network.offline,
    network.attached_stale,
    network.no_session,
    device.never_seen,
    device.silent,
    volume.sms_exhausted,
    volume.data_low,
    device.reports_over_other_link,
    device.not_linked,
    card.carrier_unavailable,
)
"""Roots before what follows from them: of equally bad causes, the first one makes the summary."""
