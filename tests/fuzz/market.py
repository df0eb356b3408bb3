"""Makes a small market on a fresh server and prints one caller of each kind: a name and a token."""

import json
import sys
import urllib.request

api, admin_password = sys.argv[1], sys.argv[2]


def post(path, body, token=None, key=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["Idempotency-Key"] = key
    request = urllib.request.Request(api + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def get(path):
    with urllib.request.urlopen(api + path) as answer:
        return json.load(answer)


signed_in = post("/v1/sessions", {"email": "admin@headroom.local", "password": admin_password})
admin = signed_in["access_token"]
post("/v1/regions", {"code": "id-batam", "name": "Batam", "country": "ID"}, admin)
post(
    "/v1/skus",
    {
        "code": "gb300-nvl72",
        "gpu_model": "GB300",
        "memory_gib": 288,
        "gpus_per_node": 4,
        "gpus_per_domain": 72,
        "interconnect": "NVLink 5",
        "slot_minutes": 60,
        "tick": "0.01",
        "watts_per_gpu": 1800,
    },
    admin,
)


def sign_up(name, capabilities):
    organization = {
        "name": name,
        "capabilities": capabilities,
        "country": "DE",
        "segment": "startup" if "customer" in capabilities else None,
    }
    organization = {field: value for field, value in organization.items() if value is not None}
    body = {
        "organization": organization,
        "email": f"owner@{name.lower()}.example",
        "password": "only for this run: fuzzing",
    }
    return post("/v1/signup", body)


provider = sign_up("Provider", ["provider"])
post(f"/v1/organizations/{provider['organization']['id']}/approve", {}, admin)
provider = provider["access_token"]
factory = post(
    "/v1/factories",
    {"name": "One", "region": "id-batam", "power_mw": 40, "state": "energized"},
    provider,
)
year = int(get("/v1/clock")["now"][:4])
start, end = f"{year + 1}-01-01T00:00:00Z", f"{year + 2}-01-01T00:00:00Z"
pool = post(
    "/v1/pools",
    {"factory_id": factory["id"], "sku": "gb300-nvl72", "phases": [{"gpus": 1440, "from": start}]},
    provider,
)
post(
    "/v1/listings",
    {
        "pool_id": pool["id"],
        "gpus": 720,
        "start_at": start,
        "end_at": end,
        "price_per_gpu_hour": "2.50",
    },
    provider,
)
customer = sign_up("Customer", ["customer"])["access_token"]
application = post(
    "/v1/credit_applications", {"requested_limit": "250000.00", "purpose": "training"}, customer
)
path = f"/v1/credit_applications/{application['id']}/approve"
post(path, {"limit": "250000.00"}, admin, "approve-1")
post(
    "/v1/orders",
    {
        "sku": "gb300-nvl72",
        "regions": ["id-batam"],
        "gpus": 64,
        "start_at": start,
        "duration_hours": 24,
        "limit_price_per_gpu_hour": "3.00",
    },
    customer,
    "order-1",
)
for name, token in [("nobody", "-"), ("customer", customer), ("provider", provider), ("operator", admin)]:
    print(name, token)
