from uuid import UUID

from device_service.broker.rules import AccessRequest, claimed_device, may_use_resource, may_use_topic
from device_service.credentials.service import Authenticator


class BrokerService:
    """Answers the broker's questions about devices. People and services have no business here."""

    def __init__(self, authenticator: Authenticator, vhost: str) -> None:
        self._authenticator, self._vhost = authenticator, vhost

    async def may_log_in(self, username: str, password: str, client_id: str) -> bool:
        """Whether that is the device's key, and the MQTT session is not another device's.

        Only the MQTT plugin names a client. A login without one comes over AMQP or the management API, where
        a device could have its messages sent on under any routing key: by the header CC, or by a queue that
        dead-letters, neither of which the broker checks against topic permissions.
        """
        device_id = _device_id(username)
        if (
            device_id is None
            or not client_id
            or await self._authenticator.identify(device_id, password) is None
        ):
            return False
        other = claimed_device(client_id)
        return other in {None, username} or not await self._authenticator.has_key(UUID(other))

    def may_enter(self, username: str, vhost: str) -> bool:
        """Whether a device may use the virtual host; who it is has been checked before."""
        return _device_id(username) is not None and vhost == self._vhost

    def may_use(self, access: AccessRequest, vhost: str) -> bool:
        """Queues and exchanges."""
        return self.may_enter(access.device_id, vhost) and may_use_resource(access)

    async def may_use_topic(self, access: AccessRequest, vhost: str) -> bool:
        """Topics of a device that still has a key. The broker remembers a yes as long as a session lasts."""
        if not self.may_enter(access.device_id, vhost) or not may_use_topic(access):
            return False
        return await self._authenticator.has_key(UUID(access.device_id))


def _device_id(username: str) -> UUID | None:
    """The id, in the one spelling that topics are written with."""
    try:
        device_id = UUID(username)
    except ValueError:
        return None
    return device_id if str(device_id) == username else None
