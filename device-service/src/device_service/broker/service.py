from uuid import UUID

from device_service.broker.rules import (
    AccessRequest,
    claimed_device,
    device_of_user,
    may_use_resource,
    may_use_topic,
)
from device_service.broker.session_limit import SessionLimit
from device_service.broker.telemetry_throttle import TelemetryThrottle
from device_service.credentials.service import Authenticator


class BrokerService:
    """Answers the broker's questions about devices. People and services have no business here."""

    def __init__(
        self, authenticator: Authenticator, sessions: SessionLimit, throttle: TelemetryThrottle, vhost: str
    ) -> None:
        self._authenticator, self._sessions, self._vhost = authenticator, sessions, vhost
        self._throttle = throttle

    async def may_log_in(self, username: str, password: str, client_id: str) -> bool:
        """Whether that is the device's key, the MQTT session is not another device's, and not one too many.

        Not for a while after the device sent too much.

        Only the MQTT plugin names a client. A login without one comes over AMQP or the management API, where
        a device could have its messages sent on under any routing key: by the header CC, or by a queue that
        dead-letters, neither of which the broker checks against topic permissions.
        """
        device_id = device_of_user(username)
        if device_id is None or not client_id:
            return False
        device = await self._authenticator.identify(device_id, password)
        if device is None:
            return False
        other = claimed_device(client_id)
        if other not in {None, username} and await self._authenticator.has_key(UUID(other)):
            return False
        if await self._throttle.holds(device_id):
            return False
        return await self._sessions.admits(device_id, device.organization_id, client_id)

    def may_enter(self, username: str, vhost: str) -> bool:
        """Whether a device may use the virtual host; who it is has been checked before."""
        return device_of_user(username) is not None and vhost == self._vhost

    def may_use(self, access: AccessRequest, vhost: str) -> bool:
        """Queues and exchanges."""
        return self.may_enter(access.device_id, vhost) and may_use_resource(access)

    async def may_use_topic(self, access: AccessRequest, vhost: str) -> bool:
        """Topics of a device that still has a key. The broker remembers a yes as long as a session lasts."""
        if not self.may_enter(access.device_id, vhost) or not may_use_topic(access):
            return False
        return await self._authenticator.has_key(UUID(access.device_id))
