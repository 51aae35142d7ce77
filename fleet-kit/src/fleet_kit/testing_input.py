"""Requests with values that no program expects, made from a service's OpenAPI document.

Each parameter and each field of a body is replaced by each hostile value while everything else is plausible,
so that the value gets as far as it can. Whatever the answer, it must not be a failure of the service.
"""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

Json = Any
_DEEP = "[" * 3000 + "]" * 3000
_DIGITS = "9" * 5000
_FIRST_YEAR, _LAST_YEAR = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
TEXTS = [
    "",
    "\ud800",
    "a\x00b",
    _FIRST_YEAR,
    _LAST_YEAR,
    "0001-01-01",
    "9999-12-31",
    _DIGITS,
    "1e400",
    "NaN",
    str(2**63),
    str(-(2**70)),
    "\\%",
    "$where",
]
"""Values of parameters."""
CURSOR_VALUES: list[Json] = [
    None,
    "\ud800",
    "a\x00b",
    _FIRST_YEAR,
    _LAST_YEAR,
    "2026-01-01T00:00:00",
    2**63,
    -(2**63),
    2**63 - 1,
    2**62,
    2**61,
    -1,
    0,
    1.5,
    1e300,
    True,
    [],
    [[1]],
    {},
    "00000000-0000-0000-0000-000000000000",
]
_SORTS = ["name", "-created_at", "created_at", "email"]
RAW = [
    *(json.dumps(text) for text in TEXTS),
    "null",
    "[]",
    "-1",
    str(2**31),
    str(2**63),
    "9" * 400,
    _DIGITS,
    "1e400",
    "-1e308",
    "NaN",
    _DEEP,
    '{"a":' * 3000 + "1" + "}" * 3000,
    '{"a\\u0000": "\\ud800"}',
    '["\\ud800"]',
]
"""Values of fields, as they stand in JSON."""
_PATTERNS = (
    *("8988228066600000001", "temperature", "a", "2026-01-01", "+4917012345678"),
    *("1h", "1", "2026-01", "abc.def"),
)
"""Texts, of which the first that fits a pattern is taken."""
_FORMATS = {
    "uuid": "01890000-0000-7000-8000-000000000001",
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
}


@dataclass(frozen=True)
class HostileRequest:
    """A request, and in words what is wrong with it."""

    method: str
    url: str
    content: bytes | None
    headers: Mapping[str, str]
    wrong: str


def hostile_requests(document: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[HostileRequest]:
    """Requests to every route; `names`: values of path parameters and fields that exist.

    What deletes or ends something comes last.
    """
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    operations.sort(key=lambda one: (one[1] == "delete", "logout" in one[0]))
    for path, method, operation in operations:
        yield from _Operation(document, path, method, operation, dict(names)).requests()


async def failures(client: httpx.AsyncClient, requests: Iterator[HostileRequest]) -> AsyncIterator[str]:
    """What was answered with a failure of the service, in words."""
    for request in requests:
        answer = await client.request(
            request.method,
            request.url,
            content=request.content,
            headers=request.headers,
        )
        if answer.status_code >= 500:
            said = f"{answer.status_code} {answer.text[:200]}"
            yield f"{request.method} {request.url[:200]} {request.wrong}: {said}"


class _Operation:
    def __init__(
        self, document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any], names: Any
    ) -> None:
        self._document, self._path, self._method, self._names = document, path, method.upper(), names
        self._parameters = [_resolved(document, one) for one in operation.get("parameters", ())]
        content = operation.get("requestBody", {}).get("content", {})
        self._body = content.get("application/json", {}).get("schema")

    def requests(self) -> Iterator[HostileRequest]:
        sample = None if self._body is None else self._sample(self._body)
        plain = None if self._body is None else json.dumps(sample)
        for parameter in self._parameters:
            if parameter["in"] in {"query", "path", "header"}:
                for value in _values(parameter):
                    wrong = f"{parameter['name']}={value[:60]!r}"
                    yield self._made({(parameter["in"], parameter["name"]): value}, plain, wrong)
        if self._method in {"POST", "PUT", "PATCH"}:
            for raw in RAW:
                yield self._made({}, raw, f"body {raw[:60]}")
        if self._body is not None:
            for place in _places(sample):
                # Beside what is required, so that fields that exclude each other do not meet.
                body = self._only(sample, place[0])
                for raw in RAW:
                    yield self._made({}, _with(body, place, raw), f"{place} = {raw[:60]}")

    def _only(self, sample: Json, field: str | int) -> Json:
        required = _resolved(self._document, self._body).get("required", ())
        if not isinstance(sample, dict):
            return sample
        return {key: value for key, value in sample.items() if key == field or key in required}

    def _made(self, values: Mapping[tuple[str, str], str], content: str | None, wrong: str) -> HostileRequest:
        url, query = self._path, []
        headers = {} if content is None else {"Content-Type": "application/json"}
        for parameter in self._parameters:
            name, kind = parameter["name"], parameter["in"]
            value = values.get((kind, name))
            if kind == "path":
                given = self._names.get(name) or str(self._sample(parameter["schema"], name))
                url = url.replace(f"{{{name}}}", _quoted(given if value is None else value))
            elif kind == "query" and (value is not None or parameter.get("required")):
                given = str(self._sample(parameter["schema"], name))
                query.append(f"{name}={_quoted(given if value is None else value)}")
            elif kind == "header" and value is not None:
                headers[name] = value.encode("ascii", "ignore").decode().replace("\x00", "")
        url += f"?{'&'.join(query)}" if query else ""
        body = None if content is None else content.encode()
        return HostileRequest(self._method, url, body, headers, wrong)

    def _sample(self, schema: Mapping[str, Any], name: str = "") -> Json:
        """A value that is as good as the schema tells."""
        schema = _resolved(self._document, schema)
        if name in self._names:
            return self._names[name]
        if name == "email":
            return f"{uuid4().hex}@example.com"
        for choice in ("anyOf", "oneOf", "allOf"):
            if choice in schema:
                return self._sample(next(one for one in schema[choice] if one.get("type") != "null"), name)
        for constant in (schema.get("const"), *schema.get("enum", ())):
            if constant is not None:
                return constant
        return self._of_type(schema, name)

    def _of_type(self, schema: Mapping[str, Any], name: str) -> Json:
        kind = schema.get("type")
        if kind == "object":
            fields = {key: self._sample(one, key) for key, one in schema.get("properties", {}).items()}
            return fields or {"a": 1}
        if kind == "array":
            return [self._sample(schema.get("items", {}), name)]
        if kind in {"integer", "number"}:
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        return True if kind == "boolean" else _text(schema)


def _text(schema: Mapping[str, Any]) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if "pattern" in schema:
        return next((one for one in _PATTERNS if re.search(schema["pattern"], one)), "a")
    return "a-long-enough-text".ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 10**6)]


def _values(parameter: Mapping[str, Any]) -> Iterator[str]:
    yield from TEXTS
    if parameter["name"] == "cursor":
        for value in CURSOR_VALUES:
            for length in (1, 2, 3):
                heads = [] if length == 1 else _SORTS
                for mixed in ([value] * length, *([head, *[value] * (length - 1)] for head in heads)):
                    yield urlsafe_b64encode(json.dumps(mixed).encode()).decode().rstrip("=")
        yield urlsafe_b64encode(_DEEP.encode()).decode()[:1000]
        yield urlsafe_b64encode(b"\xff\xfe[1]").decode()


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _places(value: Json, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where a value can be replaced: every field and item, also inside others."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*place, key)
        yield from _places(item, (*place, key))


def _with(value: Json, place: tuple[str | int, ...], raw: str) -> str:
    """The JSON of the value with `raw` in that place."""
    if not place:
        return raw
    first, *rest = place
    if isinstance(value, dict):
        parts = (
            f"{json.dumps(key)}:{_with(item, tuple(rest), raw) if key == first else json.dumps(item)}"
            for key, item in value.items()
        )
        return "{" + ",".join(parts) + "}"
    items = (
        _with(item, tuple(rest), raw) if number == first else json.dumps(item)
        for number, item in enumerate(value)
    )
    return "[" + ",".join(items) + "]"


def _quoted(value: str) -> str:
    return quote(value, safe="", errors="surrogatepass")
