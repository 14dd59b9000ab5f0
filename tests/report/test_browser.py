"""Reports of real runs, opened from a file in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.report.pages import examples, pool, result, run_directory, sampled_directory

from seedbed.compare import compare
from seedbed.recipe import Recipe
from seedbed.report import write_report

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
QUIET += [f"--disable-{what}" for what in ("background-networking", "component-update", "sync")]

HOSTILE = "<script>document.title='taken'</script><img src='http://127.0.0.1:9/x'>" + "unbroken" * 60

RECIPE = {
    "name": "browser",
    "task": "sim:reviews",
    "gold": {"source": "sim:reviews", "rows": 400, "steer": 60, "select": 40, "test": 200},
    "teacher": "sim:reviews",
    "student": "linear",
    "steps": [
        {"verb": "synthesise", "requests": 120, "reasons": 3},
        {"verb": "train"},
        {"verb": "repeat", "rounds": 1, "steps": [{"verb": "extrapolate", "requests": 40}, {"verb": "train"}]},
        {"verb": "evaluate"},
    ],
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """A comparison, a run of it, and a run whose rows mean harm."""
    path = tmp_path_factory.mktemp("compared")
    compare(Recipe.model_validate(RECIPE), path, methods=["gold", "plain"], rng_seeds=(0, 1))
    hostile = run_directory(tmp_path_factory.mktemp("hostile"), result() | {"name": HOSTILE}, shown=examples(HOSTILE))
    return {
        "comparison": write_report(path),
        "run": write_report(path / "s3" / "seed-0"),
        "hostile": write_report(hostile),
        "pool": write_report(sampled_directory(tmp_path_factory.mktemp("pool"), pool())),
    }


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """A headless browser."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        # CI says that a browser is required there: a test that is skipped everywhere tests nothing.
        assert os.environ.get("SEEDBED_BROWSER") != "required", f"{CHROMIUM} is missing"
        pytest.skip(f"needs {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.mark.parametrize("name", ["comparison", "run", "hostile", "pool"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_opens_from_a_file_without_a_request_an_error_or_a_sideways_scroll(
    pages, chromium, name, width, scheme
):
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(pages[name].as_uri())
    for one in page.locator("details").all():
        one.evaluate("element => element.open = true")
    assert asked == [pages[name].as_uri()]
    assert said == []
    assert page.title() != "taken"
    assert page.evaluate("document.documentElement.scrollWidth") == width
    back, ink = page.evaluate("(style => [style.backgroundColor, style.color])(getComputedStyle(document.body))")
    assert (brightness(back) > brightness(ink)) == (scheme == "light")
    context.close()


@pytest.mark.parametrize("name", ["comparison", "run", "pool"])
def test_no_two_texts_of_a_chart_lie_on_each_other(pages, chromium, name):
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(pages[name].as_uri())
    charts = page.evaluate(
        """[...document.querySelectorAll('svg.chart')].map(svg => [...svg.querySelectorAll('text')].map(text => {
            const box = text.getBoundingClientRect();
            return [box.left, box.top, box.right, box.bottom, text.textContent]
        }))"""
    )
    assert len(charts) >= (1 if name == "pool" else 2)
    for chart in charts:
        for at, one in enumerate(chart):
            for other in chart[at + 1 :]:
                across = min(one[2], other[2]) - max(one[0], other[0])
                down = min(one[3], other[3]) - max(one[1], other[1])
                # Boxes reach above and below their letters by a few pixels.
                assert across <= 0.5 or down <= 5, (one[4], other[4])
    page.close()


@pytest.mark.parametrize("name", ["comparison", "pool"])
def test_charts_keep_their_texts_inside(pages, chromium, name):
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(pages[name].as_uri())
    outside = page.evaluate(
        """[...document.querySelectorAll('svg.chart text')].filter(text => {
            const box = text.getBoundingClientRect(), svg = text.closest('svg').getBoundingClientRect();
            return box.left < svg.left - 2 || box.right > svg.right + 12;
        }).map(text => text.textContent)"""
    )
    assert outside == []
    page.close()


def brightness(colour: str) -> int:
    """Sum of red, green and blue of `rgb(r, g, b)`."""
    return sum(int(part) for part in colour[4:-1].split(","))
