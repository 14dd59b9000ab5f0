"""What `transformers serve` and the server of llama.cpp are found to honour, and a model in this process."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from tests import tiny_checkpoint, tiny_gguf

from seedbed.models import Endpoint
from seedbed.models.probe import Check, Finding

pytestmark = pytest.mark.server


def look(address: str) -> tuple[Check, dict[str, Finding]]:
    check = Check(address, Endpoint())
    return check, {finding.check: finding for finding in check}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint.write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")


def test_transformers_serve_is_usable_and_lacks_what_it_lacks(checkpoint: Path) -> None:
    with tiny_checkpoint.serving(checkpoint) as address:
        check, found = look(address)
    assert check.is_usable
    # What depends on how long its noise is, such as max_tokens, is not always told.
    states = {name: found[name].state for name in ("model listed", "n", "json_schema", "token counts")}
    assert states == {"model listed": "unknown", "n": "no", "json_schema": "no", "token counts": "ok"}
    assert "answers 500" in found["model listed"].said
    assert check.teacher()["endpoint"] == {"constraints": "none"}


def test_a_model_in_this_process_is_asked_too(checkpoint: Path) -> None:
    check, found = look(f"hf:{checkpoint}")
    assert check.is_usable and found["address"].said.startswith("hf:tiny@")
    assert "counted in flops" in found["price"].said and check.spent["tokens_out"] > 0
    assert "reachable" not in found and "n" not in found


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the server is not installed (extra `test`)")
def test_llama_cpp_shares_a_prompt_and_keeps_to_a_schema(tmp_path: Path) -> None:
    with tiny_gguf.serving(tiny_gguf.write_gguf(tmp_path / "tiny.gguf")) as address:
        check, found = look(address)
    assert check.is_usable
    states = {name: found[name].state for name in ("model listed", "n", "json_schema", "token counts")}
    assert set(states.values()) == {"ok"}, states
    assert check.teacher()["endpoint"] == {"draws_per_request": 8}
