"""uvicorn's HTTP connections, with the one error shape also for what cannot be parsed."""

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fleet_kit.errors import BadRequest, error_body
from fleet_kit.request_id import HEADER, set_request_id

_HEADER = HEADER.lower().encode()


class FleetHttp(HttpToolsProtocol):
    """Differs only in how it refuses an invalid request."""

    def send_400_response(self, msg: str) -> None:
        """Answer and close the connection; the id is that of the gateway where it came before the fault."""
        headers = dict(self.headers or ())
        request_id = set_request_id(headers.get(_HEADER, b"").decode("latin-1"))
        body = orjson.dumps(error_body(BadRequest.default_code, "the request is no valid HTTP"))
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n{HEADER.lower()}: {request_id}\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()
