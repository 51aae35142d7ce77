"""Who may do what: one line a route. The matrix calls each of them as everybody and compares.

A route that the services' OpenAPI documents have and this table lacks fails the test, and the reverse too.
"""

from ..sim_support import GRANT
from .route import Least, general, own

PUBLIC, VIEWER, OPERATOR, ADMIN = Least.PUBLIC, Least.VIEWER, Least.OPERATOR, Least.ADMIN
PLATFORM, CARRIER = Least.PLATFORM, Least.CARRIER
LOGIN = {"email": "{email}", "password": "{password}"}
ACCOUNT = {"email": "{new_email}", "password": "{password}"}
DEVICE = {"name": "{new_name}", "type": "pump"}
POLICY = {"name": "{new_name}", "trigger": {"remaining_below_percent": 5}, "budget_per_month": "10"}
ORDER = {"products": [{"product_id": 1001, "quantity": 1}], "customer_reference": "{new_name}"}
IMPORT = "?dry_run=true&organization_id={organization_id}"
DEVICE_PATH = "/devices/{device_id}"
GRANTS = "/sim/grants/{organization_id}"
LIMITS = "/limits/{organization_id}"
SIM = "/sims/{iccid}"
OF_SIM = {"endpoint": {"name": "{iccid}"}}
OF_A = {"organization_id": "{organization_id}"}
POLICY_PATH = "/topup-policies/{policy_id}"
PROPOSAL = POLICY_PATH + "/proposals/{proposal_id}"

SIGNING = [
    general("POST", "/auth/login", PUBLIC, LOGIN),
    general("POST", "/users/auth", PUBLIC, LOGIN),
    general("POST", "/auth/refresh", PUBLIC, {"refresh_token": "{refresh_token}"}, fresh=("login",)),
    general("POST", "/auth/register", PUBLIC, ACCOUNT),
    general("POST", "/users/add", PUBLIC, ACCOUNT),
    general("POST", "/users/verify-token", PUBLIC, {"token": "{access_token}"}),
    general("GET", "/auth/jwks.json", PUBLIC),
    general("POST", "/auth/logout", VIEWER, fresh=("caller",), repeated=True),
    general("POST", "/users/logout", VIEWER, fresh=("caller",), repeated=True),
    general("GET", "/auth/me", VIEWER),
    general("GET", "/users/", VIEWER),
    general("GET", "/organizations", VIEWER),
    own("GET", "/organizations/{organization_id}", VIEWER),
]

DEVICES = [
    general("GET", "/devices/", VIEWER),
    general("GET", "/devices", VIEWER, hidden=True),
    general("POST", "/devices/", OPERATOR, DEVICE),
    general("POST", "/devices", OPERATOR, DEVICE, hidden=True),
    general("GET", "/devices" + LIMITS, PLATFORM),
    general("PUT", "/devices" + LIMITS + "/{name}", PLATFORM, {"maximum": None}, values={"name": "devices"}),
    own("GET", DEVICE_PATH, VIEWER),
    own("PUT", DEVICE_PATH, OPERATOR, DEVICE, fresh=("device",)),
    own("PATCH", DEVICE_PATH, OPERATOR, {"type": "valve"}),
    own("DELETE", DEVICE_PATH, OPERATOR, fresh=("device",)),
    own("GET", DEVICE_PATH + "/status", VIEWER),
    own("GET", DEVICE_PATH + "/config", VIEWER),
    own("PUT", DEVICE_PATH + "/config", OPERATOR, {"interval": 5}),
    own("POST", DEVICE_PATH + "/credentials", OPERATOR, fresh=("device",)),
    own("DELETE", DEVICE_PATH + "/credentials", OPERATOR, fresh=("device",)),
    own("GET", DEVICE_PATH + "/events", VIEWER),
    own("POST", DEVICE_PATH + "/events", OPERATOR, {"event_type": "door"}, device=True),
    own("POST", DEVICE_PATH + "/telemetry", OPERATOR, {"metrics": {"a": 1}}, device=True),
]

SIMS = [
    general("GET", "/sims", VIEWER, query="?device_id={device_id}"),
    own("GET", SIM, VIEWER),
    own("PATCH", SIM, OPERATOR, {"label": "cellar"}),
    own("GET", SIM + "/actions", VIEWER),
    own("GET", SIM + "/actions/{action_id}", VIEWER),
    own("POST", "/sims/claim", ADMIN, {"iccids": ["{iccid}"]} | OF_A),
    general("POST", "/sims/claim-codes", PLATFORM, {"iccids": ["{free_iccid}"]}),
    general("GET", "/sims/claim-codes", PLATFORM),
    general("DELETE", "/sims/claim-codes/{code_id}", PLATFORM, fresh=("claim code",)),
    own("POST", "/sims/release", ADMIN, {"iccids": ["{iccid}"]}, fresh=("sim",)),
    own("DELETE", SIM + "/claim", ADMIN, fresh=("sim",)),
    general("GET", "/sims/releases", VIEWER),
    general("GET", "/sims/import/template", VIEWER, query="?format=csv"),
    own("POST", "/sims/import", OPERATOR, upload="iccid,label\n{iccid},cellar\n", query=IMPORT),
    own("GET", "/sims/imports/{import_id}", VIEWER),
    general("GET", "/sims/export", VIEWER, query="?format=csv"),
    own("PUT", SIM + "/device", OPERATOR, {"device_id": "{device_id}"}),
    own("DELETE", SIM + "/device", OPERATOR),
    general("POST", "/sims/sync-all", OPERATOR),
    own("POST", SIM + "/sync", OPERATOR),
    own("POST", "/sims/bulk", OPERATOR, {"action": "disable", "iccids": ["{other_iccid}"]} | OF_A),
    general("GET", "/sims/limits", PLATFORM),
    general("PUT", "/sims/limits", PLATFORM, {"data": 0}),
    general("GET", "/sims/limits/{kind}", PLATFORM, values={"kind": "data"}),
    general("PUT", "/sims/auto-topup", PLATFORM, {"iccids": ["{iccid}"], "enabled": False}),
    general("POST", "/sims/transfer", PLATFORM, {"iccids": ["{iccid}"], "target": 1}),
]

USAGE = [
    general("GET", "/sims/usage", VIEWER),
    general("GET", "/sims/usage/top", VIEWER),
    own("GET", SIM + "/usage", VIEWER),
    own("POST", SIM + "/usage/sync", OPERATOR),
    own("GET", SIM + "/usage/comparison", VIEWER),
    general("GET", "/sims/quotas", VIEWER),
    own("GET", SIM + "/quotas", VIEWER),
    own("GET", SIM + "/quota/{kind}", VIEWER, values={"kind": "data"}),
    general("GET", "/sims/quota-thresholds", VIEWER),
    general("PUT", "/sims/quota-thresholds", ADMIN, {"data": 20}),
    own("GET", SIM + "/quota-thresholds", VIEWER),
    own("PUT", SIM + "/quota-thresholds", OPERATOR, {"data": 20}),
    own("GET", SIM + "/connectivity", VIEWER),
    own("GET", SIM + "/connectivity/cell", VIEWER),
    own("POST", SIM + "/connectivity/reset", OPERATOR),
    own("GET", SIM + "/events", VIEWER),
    own("POST", SIM + "/events/sync", OPERATOR),
    own("GET", SIM + "/diagnosis", VIEWER),
    general("POST", "/sim/push/streamer", CARRIER, []),
    general("GET", "/sim/push/rejected", VIEWER),
]

MONEY = [
    own("POST", SIM + "/topup", OPERATOR),
    own("POST", SIM + "/extend", OPERATOR),
    own("GET", SIM + "/topups", VIEWER),
    general("GET", "/topups", VIEWER, query="?policy_id={policy_id}"),
    general("GET", "/topups/months", VIEWER),
    own("GET", "/topups/{top_up_id}", VIEWER),
    own("POST", "/topups/{top_up_id}/settle", PLATFORM, {"state": "failed"}),
    general("GET", "/topup-policies", VIEWER),
    general("POST", "/topup-policies", OPERATOR, POLICY),
    own("GET", POLICY_PATH, VIEWER),
    own("PATCH", POLICY_PATH, OPERATOR, {"enabled": False}),
    own("DELETE", POLICY_PATH, OPERATOR, fresh=("policy",)),
    own("POST", POLICY_PATH + "/evaluate", OPERATOR),
    own("GET", POLICY_PATH + "/decisions", VIEWER),
    own("GET", POLICY_PATH + "/proposals", VIEWER),
    own("POST", PROPOSAL + "/reject", ADMIN),
    own("POST", PROPOSAL + "/approve", ADMIN),
    general("GET", "/orders", VIEWER),
    general("POST", "/orders", ADMIN, ORDER),
    general("POST", "/orders/sync", OPERATOR),
    own("GET", "/orders/{number}", VIEWER),
    general("GET", "/orders/requests", VIEWER),
    own("GET", "/orders/requests/{request_id}", VIEWER),
    general("POST", "/orders/requests/{request_id}/approve", PLATFORM),
    general("POST", "/orders/requests/{request_id}/reject", PLATFORM),
    general("GET", "/sim/grants", PLATFORM),
    own("GET", GRANTS, ADMIN),
    own("GET", GRANTS + "/budget", ADMIN),
    general("PUT", GRANTS, PLATFORM, GRANT),
    general("GET", "/products", VIEWER),
]

MESSAGES_AND_JOBS = [
    own("POST", SIM + "/sms", OPERATOR, {"text": "hello"}),
    own("GET", SIM + "/sms", VIEWER),
    own("GET", SIM + "/sms/conversation", VIEWER),
    general("GET", "/sims/sms", VIEWER, query="?iccid={iccid}"),
    own("GET", SIM + "/sms/{message_id}", VIEWER),
    own("DELETE", SIM + "/sms/{message_id}", OPERATOR),
    general("POST", "/sim/push/sms", CARRIER, {"id": "{new_name}", "payload": "hello"} | OF_SIM),
    general("PATCH", "/sim/push/sms", CARRIER, {"id": "{new_name}", "status": {"id": 4}} | OF_SIM),
    general("GET", "/support-tickets", VIEWER),
    general("POST", "/support-tickets", OPERATOR, {"subject": "{new_name}", "text": "help"}),
    general("POST", "/support-tickets/sync", OPERATOR),
    general("GET", "/sims/sms" + LIMITS, PLATFORM),
    general(
        "PUT", "/sims/sms" + LIMITS + "/{name}", PLATFORM, {"maximum": None}, values={"name": "sms_messages"}
    ),
    general("GET", "/support-tickets" + LIMITS, PLATFORM),
    general(
        "PUT",
        "/support-tickets" + LIMITS + "/{name}",
        PLATFORM,
        {"maximum": None},
        values={"name": "support_tickets"},
    ),
    own("GET", "/support-tickets/{ticket_id}", VIEWER),
    own("GET", "/support-tickets/{ticket_id}/conversation", VIEWER),
    general("GET", "/jobs", VIEWER),
    own("POST", "/jobs", OPERATOR, {"kind": "forecast_quotas"} | OF_A),
    own("GET", "/jobs/{job_id}", VIEWER),
    own("GET", "/jobs/{job_id}/items", VIEWER),
    own("POST", "/jobs/{job_id}/cancel", OPERATOR),
    general("GET", "/jobs" + LIMITS, PLATFORM),
    general("PUT", "/jobs" + LIMITS + "/{name}", PLATFORM, {"maximum": None}, values={"name": "jobs"}),
    general("GET", "/topup-policies" + LIMITS, PLATFORM),
    general(
        "PUT",
        "/topup-policies" + LIMITS + "/{name}",
        PLATFORM,
        {"maximum": None},
        values={"name": "policies"},
    ),
    general("GET", "/jobs/schedules", VIEWER),
    general("PATCH", "/jobs/schedules/{kind}", PLATFORM, {"paused": False}, values={"kind": "sync_sims"}),
]

MONITORING = [
    general("GET", "/monitoring/data", VIEWER),
    own("GET", "/monitoring/data/{device_id}", VIEWER),
    general("GET", "/monitoring/latest", VIEWER, query="?device_id={device_id}"),
    general("GET", "/monitoring/stats", VIEWER),
    general("GET", "/monitoring/rejected", VIEWER, query="?device_id={device_id}"),
]

ROUTES = [*SIGNING, *DEVICES, *SIMS, *USAGE, *MONEY, *MESSAGES_AND_JOBS, *MONITORING]
