"""The reference pages say what the code says."""

import pytest
from pydantic import BaseModel

from docs import generate


@pytest.mark.parametrize("name", list(generate.PAGES))
def test_a_reference_page_is_what_the_code_says_today(name: str) -> None:
    assert generate.HERE / "reference" / name not in generate.stale(name), "run `make docs`"


def test_no_page_of_the_reference_is_written_by_hand() -> None:
    assert {path.name for path in (generate.HERE / "reference").iterdir()} == set(generate.PAGES)


def test_a_setting_without_a_meaning_is_refused() -> None:
    class Undocumented(BaseModel):
        depth: int = 1

    Undocumented.__module__ = "elsewhere"
    with pytest.raises(SystemExit, match=r"Undocumented\.depth"):
        generate.settings_table(Undocumented)
