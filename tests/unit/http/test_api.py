"""The API of two small shops: every route by every role, what is refused before a route is reached, jobs and the audit log."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from basketry.app.house import House
from basketry.app.operations import OPERATIONS
from basketry.app.working import Worker
from basketry.core.errors import ConfigError, NotFound
from basketry.http.access import needs
from basketry.http.operations import body_of
from basketry.http.server import ROUTERS, make_app
from basketry.http.serving import guarded
from basketry.store.journal.keys import ROLES

TOML = """name = "Shop"
currency = "EUR"
timezone = "UTC"
[[source]]
table = "products"
path = "products.csv"
[source.columns]
product_id = "id"
title = "title"
[[source]]
table = "order_lines"
path = "lines.csv"
[source.columns]
order_id = "order"
customer_id = "customer"
product_id = "product"
ts = "ts"
units = "units"
amount = "amount"
"""
HOST = ("testserver",)
FREE = {"/healthz", "/readyz"}  # asked by machines without a key


@pytest.fixture
def house(tmp_path):
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "shop.toml").write_text(TOML, encoding="utf-8")
        (folder / "products.csv").write_text("id,title\nbun,Burger bun\n", encoding="utf-8")
        lines = "order,customer,product,ts,units,amount\n1,ann,bun,2024-01-01T10:00:00Z,1,1\n"
        (folder / "lines.csv").write_text(lines, encoding="utf-8")
    opened = House.open([tmp_path / "one", tmp_path / "two"])
    yield opened
    opened.close()


@pytest.fixture
def owner(house):
    """Whoever asks an open server."""
    return TestClient(make_app(house, closed=False, hosts=HOST))


@pytest.fixture
def asked(house):
    """A closed server, asked with the key of a role for shop one."""
    client = TestClient(make_app(house, closed=True, hosts=HOST))
    keys = {role: house.keys("one").issue(role, "one")[1] for role in ROLES}

    def ask(role, method, path, **more):
        headers = {"Authorization": f"Bearer {keys[role]}"} if role in keys else {"Authorization": role} if role else {}
        return client.request(method, path, headers=headers, **more)

    return ask


def every_route():
    for route in (each for router in ROUTERS for each in router.routes):
        assert isinstance(route, APIRoute)
        yield route, [each.call.role for each in route.dependant.dependencies if hasattr(each.call, "role")]


def openapi_paths(house):
    return make_app(house, closed=True).openapi()["paths"]


def test_every_route_needs_exactly_one_role_or_is_free(house):
    for route, needed in every_route():
        assert (route.path in FREE and not needed) or len(needed) == 1, route.path


def test_every_route_refuses_every_lesser_role_and_every_stranger(house, asked):
    tried = 0
    for route, needed in every_route():
        if route.path in FREE:
            continue
        method = next(iter(route.methods))
        path = route.path.replace("{shop}", "one").replace("{job}", "none").replace("{key}", "none")
        body = {"json": {}} if method == "POST" else {}
        for wrong in ("", "Bearer x", "Basic eDp5", "Bearer bk_0123456789abcdef_" + "A" * 43):
            assert asked(wrong, method, path, **body).status_code == 401, path
        for role in ROLES:
            status = asked(role, method, path, **body).status_code
            if ROLES.index(role) < ROLES.index(needed[0]):
                assert status == 403, (path, role)
            else:
                assert status not in (401, 403) and status < 500, (path, role, status)
            tried += 1
        assert asked("admin", method, path.replace("/one/", "/two/"), **body).status_code == 401, (
            "a key opens its own shop alone"
        )
    assert tried == 4 * (len([each for each in OPERATIONS if each.served]) + 7)


def test_which_texts_a_request_may_hold_is_decided_one_by_one():
    texts = {
        f"{each.name}.{name}"
        for each in OPERATIONS
        if each.served
        for name, field in body_of(each).model_fields.items()
        if field.annotation is str
    }
    paths = {
        name
        for name in texts
        if name.partition(".")[2] in ("source", "out", "engine", "taxonomy", "export", "customers", "track")
    }
    assert not paths
    for each in OPERATIONS:
        for field in dataclasses.fields(each.request):
            about = field.metadata.get("help", "").lower()
            if each.served and ("file" in about or "folder" in about or "where sql runs" in about):
                assert f"{each.name}.{field.name}" not in texts, f"{each.name} {field.name}: a path is left to the command line"


def test_a_revoked_key_opens_nothing(house):
    key, text = house.keys("one").issue("viewer", "one")
    client = TestClient(make_app(house, closed=True, hosts=HOST))
    ask = {"json": {"product": "bun"}, "headers": {"Authorization": f"Bearer {text}"}}
    assert client.post("/v1/shops/one/associations", **ask).status_code == 409  # nothing is published yet
    house.keys("one").revoke(key.id)
    again = TestClient(make_app(house, closed=True, hosts=HOST))  # another worker; the same one knows within a second
    assert again.post("/v1/shops/one/associations", **ask).status_code == 401


def test_errors_are_problems_with_a_stable_code(owner):
    found = owner.post("/v1/shops/one/associations", json={"product": "bun"})
    assert found.headers["content-type"] == "application/problem+json"
    assert (found.status_code, found.json()["code"]) == (409, "release") and found.json()["hint"]
    for body, field in (
        ({"product": "bun", "kk": 1}, "body.kk"),
        ({}, "body.product"),
        ({"product": "x" * 10_001}, "body.product"),
    ):
        wrong = owner.post("/v1/shops/one/associations", json=body)
        assert wrong.status_code == 422 and [each["field"] for each in wrong.json()["fields"]] == [field]
    assert owner.post("/v1/shops/three/associations", json={"product": "bun"}).json()["code"] == "not-found"
    assert owner.post("/v1/shops/..%2f/associations", json={"product": "bun"}).status_code in (404, 422)
    assert owner.get("/v1/nothing").json()["code"] == "not-found"
    assert owner.get("/v1/shops/one/associations").status_code == 405


def test_what_is_refused_before_any_route(house):
    client = TestClient(make_app(house, closed=False, hosts=HOST, in_flight=0))
    crowd = client.get("/healthz")
    assert (crowd.status_code, crowd.headers["retry-after"]) == (429, "1")
    client = TestClient(make_app(house, closed=False, hosts=HOST))
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 421
    assert client.post("/v1/shops/one/releases", json={}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post("/v1/shops/one/releases", json={}, headers={"Origin": "http://testserver"}).status_code == 200
    large = client.post("/v1/shops/one/associations", content=b"x" * 10_000_001)
    assert (large.status_code, large.json()["code"]) == (413, "too-large")
    named = client.get("/healthz", headers={"X-Request-Id": "mine-1"})
    assert named.headers["x-request-id"] == "mine-1" and named.headers["x-content-type-options"] == "nosniff"
    assert client.get("/healthz", headers={"X-Request-Id": "a b\n"[:3]}).headers["x-request-id"] != "a b"


def test_a_job_is_queued_run_in_a_process_of_its_own_and_audited(house, owner):
    assert owner.get("/readyz").status_code == 503
    queued = owner.post("/v1/shops/one/ingest", json={})
    assert queued.status_code == 202
    place = queued.headers["location"]
    assert owner.get(place).json()["state"] == "queued"
    worker = Worker(house.shop("one"), house.jobs("one"))
    assert worker.step() is not None and worker.step() is None
    done = owner.get(place).json()
    assert done["state"] == "done", done
    assert sum(row["kept"] for row in done["result"]["tables"]) == 2
    failed = owner.post("/v1/shops/one/train", json={}).headers["location"]
    worker.step()
    assert owner.get(failed).json()["result"]["error"]["code"] == "release"
    waiting = owner.post("/v1/shops/one/build", json={}).headers["location"]
    assert owner.post(f"{waiting}/cancel").json()["state"] == "cancelled"
    assert [job["state"] for job in owner.get("/v1/shops/one/jobs").json()["jobs"]] == ["cancelled", "failed", "done"]
    log = owner.get("/v1/shops/one/audit").json()
    assert [row["act"] for row in log["rows"]] == ["cancel", "build", "train", "ingest"] and log["broken"] is None
    assert owner.get("/v1/shops/two/audit").json()["rows"] == []


def test_a_key_is_shown_once(owner):
    made = owner.post("/v1/shops/one/keys", json={"role": "viewer", "note": "the till"}).json()
    assert made["key"].startswith("bk_")
    listed = owner.get("/v1/shops/one/keys").json()["keys"]
    assert [each["note"] for each in listed] == ["the till"] and made["key"] not in json.dumps(listed)
    assert owner.delete(f"/v1/shops/two/keys/{made['id']}").status_code == 404
    assert owner.delete(f"/v1/shops/one/keys/{made['id']}").json()["revoked"]


def test_without_keys_it_binds_to_loopback_alone(tmp_path, house):
    with pytest.raises(ConfigError, match="nobody has a key for two"):
        house.keys("one").issue("viewer", "one")
        guarded(House.open([tmp_path / "one", tmp_path / "two"]), "0.0.0.0")
    assert guarded(House.open([tmp_path / "one"]), "0.0.0.0").state.gate.closed is True
    local = TestClient(guarded(House.open([tmp_path / "one", tmp_path / "two"]), "127.0.0.1", HOST))
    assert local.get("/v1/shops/one/jobs").status_code == 401, "on loopback too a shop with a key asks for it"
    assert local.get("/v1/shops/two/jobs").status_code == 200


def test_the_first_key_closes_a_shop_within_a_second_and_the_folders_owner_can_issue_more(house, tmp_path):
    local = TestClient(guarded(House.open([tmp_path / "one"]), "127.0.0.1", HOST))
    assert local.get("/v1/shops/one/keys").status_code == 200
    root = Path(__file__).parents[3] / "src"
    command = [sys.executable, "-m", "basketry", "issue-key", "--shop", str(tmp_path / "one"), "--role", "admin"]
    text = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    ).stdout
    time.sleep(1.1)
    assert local.get("/v1/shops/one/keys").status_code == 401
    found = local.get("/v1/shops/one/keys", headers={"Authorization": f"Bearer {text.strip()}"})
    assert [each["role"] for each in found.json()["keys"]] == ["admin"] and text.strip() not in found.text
    assert [row.act.who for row in house.audit("one").latest(1)] == ["command line"]


def test_what_cannot_be_opened(tmp_path, house):
    with pytest.raises(NotFound):
        House.open([tmp_path / "none"])
    shutil.copytree(tmp_path / "one", tmp_path / "again" / "one")
    with pytest.raises(ConfigError, match="two shops are named one"):
        House.open([tmp_path / "one", tmp_path / "again" / "one"])


def test_every_route_declares_its_contract(owner):
    found = owner.get("/openapi.json").json()
    for operation in OPERATIONS:
        path = f"/v1/shops/{{shop}}/{operation.name}"
        assert (path in found["paths"]) == bool(operation.served)
        if operation.served:
            assert found["paths"][path]["post"]["summary"] == operation.summary
    assert needs("viewer").role == "viewer"


@pytest.mark.slow
def test_serve_answers_over_a_socket_and_stops_when_told(house, tmp_path):
    house.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "basketry", "serve", "--shop", str(tmp_path / "one"), "--port", str(port)]
    root = Path(__file__).parents[3] / "src"
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(root)})
    try:
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                    assert json.load(answer) == {"status": "ok"}
                    break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("it never answered")
    finally:
        process.terminate()
    assert process.wait(20) in (0, -15)
