"""What the gateway refuses, how it says so, and what it adds to every answer."""

import collections

import httpx
import pytest

ONCE_EACH = [
    "x-request-id",
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "cache-control",
]


def error_of(answer: httpx.Response) -> dict[str, object]:
    """The error of an answer, once its shape is right."""
    error: dict[str, object] = answer.json()["error"]
    assert set(error) == {"code", "message", "details", "request_id"}
    assert error["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"
    return error


@pytest.mark.parametrize("size", [2_000_000, 1_048_577])
def test_a_body_over_one_megabyte_is_refused(gateway: httpx.Client, size: int) -> None:
    answer = gateway.post("/api/v1/devices/1/telemetry", content=b"x" * size)

    assert answer.status_code == 413
    assert (error_of(answer)["code"], error_of(answer)["details"]) == (
        "PAYLOAD_TOO_LARGE",
        {"limit_bytes": 1048576},
    )


def test_a_chunked_body_over_one_megabyte_is_refused(gateway: httpx.Client) -> None:
    answer = gateway.post("/api/v1/devices/1/telemetry", content=(b"x" * 65536 for _ in range(32)))

    assert answer.status_code == 413
    assert error_of(answer)["code"] == "PAYLOAD_TOO_LARGE"


def test_a_body_of_exactly_one_megabyte_passes(gateway: httpx.Client) -> None:
    assert gateway.post("/api/v1/devices/1/telemetry", content=b"x" * 1_048_576).json()["length"] == 1_048_576


def test_the_carriers_streamer_may_post_eight_megabytes(gateway: httpx.Client) -> None:
    path = "/api/v1/sim/push/streamer"
    assert gateway.post(path, content=b"x" * 8_388_608).json()["length"] == 8_388_608
    refused = gateway.post(path, content=b"x" * 8_388_609)
    assert (refused.status_code, error_of(refused)["details"]) == (413, {"limit_bytes": 8388608})
    beside = gateway.post(f"{path}/x", content=b"x" * 1_048_577)
    assert (beside.status_code, error_of(beside)["details"]) == (413, {"limit_bytes": 1048576})


def test_an_import_may_have_32_mebibytes(gateway: httpx.Client) -> None:
    path = "/api/v1/sims/import"
    assert gateway.post(path, content=b"x" * 33_554_432).json()["length"] == 33_554_432
    refused = gateway.post(path, content=b"x" * 33_554_433)
    assert (refused.status_code, error_of(refused)["details"]) == (413, {"limit_bytes": 33554432})


def test_a_large_post_is_told_in_the_fleets_own_shape_that_its_service_is_away(
    lonely_gateway: httpx.Client,
) -> None:
    answer = lonely_gateway.post("/api/v1/sim/push/streamer", content=b"x" * 2_000_000)

    assert answer.status_code == 502
    assert (error_of(answer)["code"], error_of(answer)["details"]) == (
        "SERVICE_UNAVAILABLE",
        {"service": "sim-service"},
    )


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/v1/auth/me", "signing-service"),
        ("/api/v1/devices/1", "device-service"),
        ("/api/v1/sims?page=1", "sim-service"),
        ("/api/v1/monitoring/latest", "monitoring-service"),
    ],
)
def test_a_service_that_is_away_is_named(lonely_gateway: httpx.Client, path: str, service: str) -> None:
    answer = lonely_gateway.get(path)

    assert (answer.status_code, answer.headers["retry-after"]) == (502, "5")
    error = error_of(answer)
    assert (error["code"], error["details"]) == ("SERVICE_UNAVAILABLE", {"service": service})
    assert service in str(error["message"])


def test_health_is_503_while_nobody_can_tell(lonely_gateway: httpx.Client) -> None:
    answer = lonely_gateway.get("/health")

    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert answer.json()["checks"]["monitoring-service"] == "unreachable"
    assert lonely_gateway.get("/livez").json() == {"status": "ok"}


def test_health_passes_the_services_own_verdict_on(gateway: httpx.Client) -> None:
    assert gateway.get("/health").status_code == 200


def test_a_service_that_does_not_answer_in_time_is_named(impatient_gateway: httpx.Client) -> None:
    answer = impatient_gateway.get("/api/v1/sims?sleep=3")

    assert answer.status_code == 504
    error = error_of(answer)
    assert (error["code"], error["details"]) == ("SERVICE_TIMEOUT", {"service": "sim-service"})


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500, 503])
def test_a_services_own_errors_pass_unchanged(gateway: httpx.Client, status: int) -> None:
    answer = gateway.get(f"/api/v1/devices/?status={status}")

    assert (answer.status_code, answer.json()["service"]) == (status, "device")


def test_a_services_own_retry_after_is_kept(gateway: httpx.Client) -> None:
    assert gateway.get("/api/v1/devices/?status=429").headers.get_list("retry-after") == ["77"]


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/v1/users/auth", "/api/v1/auth/register"])
def test_guessing_passwords_is_slowed_down(lonely_gateway: httpx.Client, path: str) -> None:
    answers = [lonely_gateway.post(path) for _ in range(60)]

    seen = collections.Counter(answer.status_code for answer in answers)
    assert seen[502] >= 20
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert error_of(refused)["code"] == "RATE_LIMITED"


def test_a_busy_device_is_not_slowed_down(gateway: httpx.Client) -> None:
    answers = [gateway.post("/api/v1/devices/1/telemetry", content=b"{}").status_code for _ in range(1200)]

    assert set(answers) == {200}


@pytest.mark.parametrize(
    "path", ["/", "/docs/", "/api/v1/devices/", "/missing", "/health", "/api/v1/missing"]
)
def test_every_answer_carries_each_security_header_once(gateway: httpx.Client, path: str) -> None:
    answer = gateway.get(path)

    assert {name: len(answer.headers.get_list(name)) for name in ONCE_EACH} == dict.fromkeys(ONCE_EACH, 1)
    assert "nginx/" not in answer.headers["server"]


def test_api_answers_are_not_stored_and_pages_are_checked_again(gateway: httpx.Client) -> None:
    assert gateway.get("/api/v1/devices/").headers["cache-control"] == "no-store"
    assert gateway.get("/").headers["cache-control"] == "no-cache"


def test_the_pages_allow_no_foreign_and_no_inline_script(gateway: httpx.Client) -> None:
    for path in ("/", "/docs/"):
        policy = gateway.get(path).headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy


def test_large_answers_are_compressed(gateway: httpx.Client) -> None:
    answer = gateway.get("/api/v1/devices/?pad=5000", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in answer.headers["vary"].lower()


def test_a_page_takes_no_other_method(gateway: httpx.Client) -> None:
    answer = gateway.post("/index.html")

    assert (answer.status_code, error_of(answer)["code"]) == (405, "METHOD_NOT_ALLOWED")


def test_a_folder_of_the_pages_is_nothing(gateway: httpx.Client) -> None:
    answer = gateway.get("/vendor/")

    assert (answer.status_code, error_of(answer)["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/health", "/api/v1/devices/", "/", "/livez"])
def test_a_method_that_nobody_knows_gets_the_same_error_shape(gateway: httpx.Client, path: str) -> None:
    answer = gateway.request("FOO", path)

    assert (answer.status_code, error_of(answer)["code"]) == (405, "METHOD_NOT_ALLOWED")


def test_too_large_headers_get_the_same_error_shape(gateway: httpx.Client) -> None:
    answer = gateway.get("/api/v1/devices/", headers={"X-Long": "x" * 60_000})

    assert (answer.status_code, error_of(answer)["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/app.js", "text/javascript"),
        ("/styles.css", "text/css"),
        ("/docs/", "text/html"),
        ("/docs/docs.js", "text/javascript"),
        ("/docs/assets/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/assets/swagger-ui.css", "text/css"),
    ],
)
def test_the_pages_are_served_from_the_gateway_alone(gateway: httpx.Client, path: str, kind: str) -> None:
    answer = gateway.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)


def test_of_ipv6_a_whole_64_has_one_allowance(named_gateway: httpx.Client) -> None:
    """Whoever has one address of a /64 has all 2^64 of them."""

    def log_in(address: str) -> int:
        headers = {"X-Real-IP": address}
        return named_gateway.post("/api/v1/auth/login", json={}, headers=headers).status_code

    flood = collections.Counter(log_in(f"2001:db8:0:1:{number:x}::1") for number in range(1, 41))

    assert flood[429] >= 10
    assert log_in("2001:db8:0:2::1") == 200
    mapped = collections.Counter(log_in(f"::ffff:192.0.2.{number}") for number in range(1, 41))
    assert mapped == {200: 40}
