"""Colours that can be read, in light and in dark."""

from __future__ import annotations

import re
from importlib import resources

import pytest

STYLE = resources.files("seedbed.report").joinpath("style.css").read_text(encoding="utf-8")
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part)) for part in STYLE.split("}")[:2])
TEXTS = ("ink", "soft", "link", "mark-good", "mark-bad")


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast, from 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", TEXTS)
def test_texts_stand_out_from_page_and_panel(colours, text):
    assert contrast(colours[text], colours["page"]) >= 4.5
    assert contrast(colours[text], colours["panel"]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("number", range(1, 9))
def test_marks_stand_out_from_the_page(colours, number):
    assert contrast(colours[f"c{number}"], colours["page"]) >= 3


def test_every_colour_of_the_light_page_has_one_for_the_dark_page():
    assert set(LIGHT) == set(DARK)
