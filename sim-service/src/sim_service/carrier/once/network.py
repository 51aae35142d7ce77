"""Where SIMs are and what the network noted."""

from functools import partial

from sim_service.carrier.errors import CarrierBadAnswer
from sim_service.carrier.models import CarrierConnectivity, CarrierEvent, CellInfo, Priority
from sim_service.carrier.once import operations
from sim_service.carrier.once.endpoint_group import EndpointGroup
from sim_service.carrier.once.parsers import events, network

_EVENTS_PAGE_SIZE = 1000


class NetworkEndpoints(EndpointGroup):
    async def connectivity(self, iccid: str, *, priority: Priority) -> CarrierConnectivity:
        body = await self._read_record(operations.CONNECTIVITY, priority, iccid=iccid)
        connectivity = network.connectivity(body)
        if connectivity is None:
            raise CarrierBadAnswer("the carrier does not say how the SIM is connected")
        return connectivity

    async def cell_info(self, iccid: str, *, priority: Priority) -> CellInfo:
        params = {"subscriber": "true", "ussd": "false"}
        cell = network.cell(await self._read(operations.CELL_INFO, priority, iccid=iccid, params=params))
        if cell is None:
            raise CarrierBadAnswer("the carrier's cell information cannot be read")
        return cell

    async def reset(self, iccid: str, *, priority: Priority) -> None:
        await self._transport.send(operations.RESET, priority=priority, iccid=iccid)

    async def events(self, iccid: str, page: int, *, priority: Priority) -> list[CarrierEvent]:
        params, parse = {"page": page, "pageSize": _EVENTS_PAGE_SIZE}, partial(events.event, iccid=iccid)
        listed = await self._list(parse, operations.EVENTS, priority, iccid=iccid, params=params)
        return [event for event in listed if event.iccid == iccid]
