"""Keys read from Postgres, by one query for all that are asked for at the same time."""

import asyncio
from uuid import UUID

from device_service.credentials.models import Credential
from device_service.credentials.repository import CredentialRepository
from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING

_MOST_AT_ONCE = 500
_Answer = asyncio.Future[Credential | None]


class CredentialLookup:
    """Finds keys of devices that strangers name too: however many these are, one connection is in use.

    A device is looked for only by a query that begins after it was asked for, so no answer is older than its
    question.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._waiting: dict[UUID, _Answer] = {}
        self._task: asyncio.Task[None] | None = None

    async def find(self, device_id: UUID) -> Credential | None:
        """The device's key, None where it has none."""
        answer = self._waiting.get(device_id)
        if answer is None:
            answer = self._waiting[device_id] = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._answer_all())
        return await asyncio.shield(answer)

    async def _answer_all(self) -> None:
        while self._waiting:
            ids = list(self._waiting)[:_MOST_AT_ONCE]
            answers = {device_id: self._waiting.pop(device_id) for device_id in ids}
            try:
                async with self._sessions() as session:
                    found = await CredentialRepository(session, EVERYTHING).find_all(answers)
            except Exception as error:
                for answer in answers.values():
                    answer.set_exception(error)
                    answer.exception()  # whoever asked may have left
            else:
                for device_id, answer in answers.items():
                    answer.set_result(found.get(device_id))
