"""The models of a shop: whole or not there, under names that cannot leave their folder."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from basketry.core.errors import Busy, NotFound, RequestError
from basketry.store.lock import locked
from basketry.store.models import ModelStore


def test_a_model_is_there_whole_and_never_changes(tmp_path):
    store = ModelStore(tmp_path)
    assert store.published() == ()
    folder = store.publish("small-1", lambda aside: (aside / "encoder.json").write_text("{}"))
    assert folder == store.path("small-1") and store.published() == ("small-1",)
    with pytest.raises(RequestError, match="is there already"):
        store.publish("small-1", lambda aside: (aside / "encoder.json").write_text("[]"))
    assert (folder / "encoder.json").read_text() == "{}"
    store.remove("small-1")
    assert store.published() == () and list((tmp_path / "models").iterdir()) == []
    with pytest.raises(NotFound, match="it has: none yet"):
        store.path("small-1")


def test_what_fails_leaves_nothing(tmp_path):
    def write(aside):
        (aside / "half").write_text("x")
        raise RuntimeError("the power failed")

    with pytest.raises(RuntimeError):
        ModelStore(tmp_path).publish("half", write)
    assert list((tmp_path / "models").iterdir()) == []


def test_what_a_killed_writer_left_is_swept_and_never_listed(tmp_path):
    left = tmp_path / "models" / ".aside-00000000"
    young = left.with_name(".aside-11111111")
    young.mkdir(parents=True)
    left.mkdir()
    os.utime(left, (0, 0))
    store = ModelStore(tmp_path)
    assert store.published() == ()
    store.publish("good", lambda aside: None)
    assert not left.exists() and store.published() == ("good",)
    assert young.exists()  # a writer that is still at it


def test_two_may_write_at_once_and_the_one_that_ends_first_wins_the_name(tmp_path):
    store = ModelStore(tmp_path)

    def write(aside):
        store.publish("other", lambda folder: None)
        store.publish("same", lambda folder: (folder / "who").write_text("inner"))

    with pytest.raises(RequestError, match="is there already"):
        store.publish("same", write)
    assert store.published() == ("other", "same")
    assert (store.path("same") / "who").read_text() == "inner"


def test_a_writer_waits_for_a_lock_that_is_soon_given_back(tmp_path):
    held = threading.Event()

    def hold():
        with locked(tmp_path, "models"):
            held.set()
            time.sleep(0.3)

    with ThreadPoolExecutor() as pool:
        pool.submit(hold)
        held.wait()
        with pytest.raises(Busy), locked(tmp_path, "models"):
            pass
        ModelStore(tmp_path).publish("patient", lambda aside: None)
    assert ModelStore(tmp_path).published() == ("patient",)


def test_what_strayed_among_the_models_is_none(tmp_path):
    store = ModelStore(tmp_path)
    store.publish("real", lambda aside: None)
    (tmp_path / "models" / "notes.txt").write_text("mine")
    (tmp_path / "models" / "link").symlink_to(tmp_path / "models" / "real")
    assert store.published() == ("real",)
    for name in ("notes.txt", "link"):
        with pytest.raises(NotFound):
            store.remove(name)
        with pytest.raises(RequestError, match="is in the way, and is no model"):
            store.publish(name, lambda aside: None)
    assert (tmp_path / "models" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "..", "../up", "/etc", "a/b", ".hidden", "UPPER", "x" * 65, "a b", "名"])
def test_a_name_is_no_path(tmp_path, name):
    with pytest.raises(RequestError, match="may not name a model"):
        ModelStore(tmp_path).publish(name, lambda aside: None)
