"""Where SIMs are and what the network noted."""

from sim_service.carrier.errors import CarrierBadAnswer
from sim_service.carrier.facts import CarrierConnectivity, CarrierEvent, CellInfo, Priority
from sim_service.carrier.once import operations
from sim_service.carrier.once.caller import Caller
from sim_service.carrier.once.records import events, network

_EVENTS_A_PAGE = 1000


class Network(Caller):
    """See sim_service.carrier.base.NetworkCalls."""

    async def connectivity(self, iccid: str, *, priority: Priority) -> CarrierConnectivity:
        """See NetworkCalls."""
        body = await self._read(operations.CONNECTIVITY, priority, iccid=iccid)
        connectivity = network.connectivity(body)
        if connectivity is None:
            raise CarrierBadAnswer("the carrier does not say how the SIM is connected")
        return connectivity

    async def cell_info(self, iccid: str, *, priority: Priority) -> CellInfo:
        """See NetworkCalls."""
        params = {"subscriber": "true", "ussd": "false"}
        cell = network.cell(await self._read(operations.CELL_INFO, priority, iccid=iccid, params=params))
        if cell is None:
            raise CarrierBadAnswer("the carrier's cell information cannot be read")
        return cell

    async def reset(self, iccid: str, *, priority: Priority) -> None:
        """See NetworkCalls."""
        await self._transport.send(operations.RESET, priority=priority, iccid=iccid)

    async def events(self, iccid: str, page: int, *, priority: Priority) -> list[CarrierEvent]:
        """See NetworkCalls. Events that cannot be read are left out."""
        params = {"page": page, "pageSize": _EVENTS_A_PAGE}
        rows, _ = await self._rows(operations.EVENTS, priority, iccid=iccid, params=params)
        read = (events.event(row, iccid) for row in rows)
        return [event for event in read if event is not None and event.iccid == iccid]
