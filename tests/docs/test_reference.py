"""The reference pages say what the code says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

DOCS = Path(__file__).parents[2] / "docs"


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load_generator()


@pytest.mark.parametrize("name", list(generate.PAGES))
def test_a_reference_page_is_what_the_code_says_today(name: str) -> None:
    assert generate.HERE / "reference" / name not in generate.stale(name), "run `make docs`"


def test_no_page_of_the_reference_is_written_by_hand() -> None:
    assert {path.name for path in (DOCS / "reference").iterdir()} == set(generate.PAGES)


def test_a_setting_without_a_meaning_is_refused() -> None:
    class Undocumented(BaseModel):
        depth: int = 1

    Undocumented.__module__ = "elsewhere"
    with pytest.raises(SystemExit, match=r"Undocumented\.depth"):
        generate.settings_table(Undocumented)
