"""What two servers nobody here wrote are found to honour: `transformers serve`, and llama.cpp's."""

from __future__ import annotations

from collections.abc import Iterator
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
def transformers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Check, dict[str, Finding]]]:
    folder = tiny_checkpoint.write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")
    with tiny_checkpoint.serving(folder) as address:
        yield look(address)


def test_transformers_serve_is_usable_and_lacks_what_it_lacks(transformers: tuple[Check, dict[str, Finding]]) -> None:
    check, found = transformers
    assert check.is_usable
    states = {name: found[name].state for name in ("model listed", "n", "json_schema", "logprobs", "token counts")}
    assert states == {
        "model listed": "unknown", "n": "no", "json_schema": "no", "logprobs": "no", "token counts": "ok",
    }  # fmt: skip
    assert "answers 500" in found["model listed"].said
    assert check.teacher()["endpoint"] == {"constraints": "none"}


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the server is not installed (extra `test`)")
def test_llama_cpp_shares_a_prompt_and_keeps_to_a_schema(tmp_path: Path) -> None:
    with tiny_gguf.serving(tiny_gguf.write_gguf(tmp_path / "tiny.gguf")) as address:
        check, found = look(address)
    assert check.is_usable
    states = {name: found[name].state for name in ("model listed", "n", "json_schema", "max_tokens", "token counts")}
    assert set(states.values()) == {"ok"}, states
    assert check.teacher()["endpoint"] == {"draws_per_request": 8}
