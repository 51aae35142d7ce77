"""Events that organisations publish."""

from fleet_contracts.events import OrganizationCreated, OrganizationData
from signing_service.base import SOURCE
from signing_service.organizations.models import Organization


def created(organization: Organization) -> OrganizationCreated:
    """The organisation exists."""
    return OrganizationCreated(
        source=SOURCE,
        subject=str(organization.id),
        organizationid=organization.id,
        data=OrganizationData(id=organization.id, name=organization.name),
    )
