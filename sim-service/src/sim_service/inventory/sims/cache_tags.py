"""Tags of cached answers about SIMs; `platform.cache` says what a tag is."""

from collections.abc import Collection
from uuid import UUID

ALL_USAGE = "usage"
"""A tag of every answer about usage."""
_MAX_SIMS = 500


def sim_tag(iccid: str) -> str:
    return f"sim:{iccid}"


def list_tag(organization_id: UUID | None) -> str:
    """Lists of an organisation's SIMs; None: those of the platform administrator."""
    return f"lists:{organization_id or '*'}"


def usage_tag(iccid: str) -> str:
    return f"usage:{iccid}"


def usage_tags(iccids: Collection[str]) -> set[str]:
    """What new usage of SIMs outdates; of many SIMs all usage, since naming each would cost more."""
    return {ALL_USAGE} if len(iccids) > _MAX_SIMS else {usage_tag(iccid) for iccid in iccids}


def quota_tag(iccid: str) -> str:
    return f"quotas:{iccid}"


def sim_tags(iccid: str, *owners: UUID | None) -> set[str]:
    """What a change of a SIM outdates: answers about it, lists of its owners and of the administrator."""
    return {sim_tag(iccid), *(list_tag(owner) for owner in (*owners, None))}
