"""The application's own tests: fresh databases for each, through the fixtures of dbwarden."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from app.main import app
from fastapi.testclient import TestClient

from dbwarden.testing import override_database
from dbwarden.testing.ready_made import *  # noqa: F403  # three tests for each database


@pytest.fixture
def client(dbwarden_project, dbwarden_templates) -> Iterator[TestClient]:
    """The application on fresh databases; the replica is the primary itself."""
    with ExitStack() as stack:
        for config in dbwarden_project.databases:
            if config.replica_of is None:
                database = dbwarden_templates.fresh(config)
                stack.callback(dbwarden_templates.drop, database)
                stack.enter_context(override_database(config.database_name, database.url))
                if config.database_name == "primary":
                    stack.enter_context(override_database("replica", database.url))
        yield stack.enter_context(TestClient(app))


def test_a_new_user_is_in_every_database(client: TestClient) -> None:
    assert client.post("/users", json={"id": 1, "email": "ada@example.com"}).status_code == 200
    dashboard = client.get("/dashboard").json()
    assert [user["email"] for user in dashboard["users"]] == ["ada@example.com"]
    assert [event["event_type"] for event in dashboard["events"]] == ["signed_up"]
    assert [log["action"] for log in dashboard["logs"]] == ["create_user"]


def test_queries_are_joined_in_python(client: TestClient) -> None:
    client.post("/users", json={"id": 1, "email": "ada@example.com"})
    (event,) = client.get("/report").json()["events"]
    assert event["user_email"] == "ada@example.com"
    (enriched,) = client.get("/enriched-events").json()
    assert enriched["user"]["email"] == "ada@example.com"


def test_users_are_read_from_the_replica(client: TestClient) -> None:
    client.post("/users", json={"id": 1, "email": "ada@example.com"})
    assert [user["id"] for user in client.get("/users").json()] == [1]


def test_tenants_do_not_see_each_other(client: TestClient) -> None:
    client.post("/tenants/acme/notes", params={"id": 1, "body": "ours"})
    assert [note["body"] for note in client.get("/tenants/acme/notes").json()] == ["ours"]
    assert client.get("/tenants/globex/notes").json() == []
    assert client.get("/data", params={"tenant_id": "acme"}).json()[0]["body"] == "ours"
    assert client.get("/tenants/nobody/notes").status_code == 404


def test_health_tells_of_all(client: TestClient) -> None:
    health = client.get("/health").json()
    assert health["status"] == "ok"
    names = [each["database"] for each in health["databases"]]
    assert names == ["primary", "replica", "analytics", "logging"]
