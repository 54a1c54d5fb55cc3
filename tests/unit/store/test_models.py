"""The models of a shop: whole or not there, under names that cannot leave their folder."""

import pytest

from basketry.core.errors import NotFound, RequestError
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
    left.mkdir(parents=True)
    store = ModelStore(tmp_path)
    assert store.published() == ()
    store.publish("good", lambda aside: None)
    assert not left.exists() and store.published() == ("good",)


@pytest.mark.parametrize("name", ["", "..", "../up", "/etc", "a/b", ".hidden", "UPPER", "x" * 65, "a b", "名"])
def test_a_name_is_no_path(tmp_path, name):
    with pytest.raises(RequestError, match="may not name a model"):
        ModelStore(tmp_path).publish(name, lambda aside: None)
