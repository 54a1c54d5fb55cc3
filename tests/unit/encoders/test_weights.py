from __future__ import annotations

from pathlib import Path

import pytest

from basketry.core.errors import EncoderError
from basketry.encoders.weights import WEIGHTS, check_weights, file_digest, folder_digest, verified


def test_the_default_weights_are_installed_and_are_the_pinned_ones() -> None:
    states = {weights.name: state for weights, state in check_weights()}
    assert states["universal"] == states["universal-tokeniser"] == "ok"
    assert states["minilm"] in {"ok", "absent"}


def test_every_pinned_file_says_its_size_and_licence() -> None:
    for weights in WEIGHTS:
        assert len(weights.sha256) == 64
        assert weights.licence
        file = weights.locate()
        assert file is None or file.stat().st_size == weights.size


def test_a_file_is_verified_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert file_digest(file) == known
    assert verified(file, known) == b"abc"
    with pytest.raises(EncoderError, match="differ"):
        verified(file, known[::-1])


def test_a_folder_is_known_by_what_can_change_its_vectors(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"1")
    (tmp_path / "config.json").write_bytes(b"{}")
    before = folder_digest(tmp_path)
    (tmp_path / "README.md").write_text("words")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "x.json").write_text("{}")
    assert folder_digest(tmp_path) == before
    (tmp_path / "config.json").write_bytes(b"{ }")
    assert folder_digest(tmp_path) != before
