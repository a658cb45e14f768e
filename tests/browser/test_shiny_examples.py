"""Shiny's own examples, as a visitor uses them: from the waiting page into the app, inputs change
outputs.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.stack import SHINY_EXAMPLES, StackProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

START = 60_000
"""Milliseconds that a start may take on a busy machine."""


def image_of(page: Page, selector: str) -> str:
    """Wait for a plot and return what is in it."""
    image = page.locator(f"{selector} img")
    expect(image).to_be_visible(timeout=START)
    return image.get_attribute("src") or ""


def image_changes(page: Page, selector: str, act: Callable[[], object]) -> None:
    before = image_of(page, selector)
    act()
    expect(page.locator(f"{selector} img")).not_to_have_attribute("src", before, timeout=20_000)


def set_slider(page: Page, name: str, value: int) -> None:
    page.evaluate(
        "([name, value]) => $('#' + name).data('ionRangeSlider').update({from: value})",
        [name, value],
    )
    page.evaluate("name => $('#' + name).trigger('change')", name)


def hello(page: Page, _: Path) -> None:
    image_changes(page, "#distPlot", lambda: set_slider(page, "bins", 7))


def text(page: Page, _: Path) -> None:
    expect(page.locator("#view tr")).to_have_count(11, timeout=START)
    page.locator("#obs").fill("4")
    expect(page.locator("#view tr")).to_have_count(5)


def reactivity(page: Page, _: Path) -> None:
    expect(page.locator("span#caption")).to_have_text("Data Summary", timeout=START)
    page.locator("input#caption").fill("Rocks and stones")
    expect(page.locator("span#caption")).to_have_text("Rocks and stones")


def mpg(page: Page, _: Path) -> None:
    expect(page.locator("#caption")).to_have_text("mpg ~ cyl", timeout=START)
    image_changes(page, "#mpgPlot", lambda: page.locator("#outliers").uncheck())


def sliders(page: Page, _: Path) -> None:
    expect(page.locator("#values")).to_contain_text("500", timeout=START)
    set_slider(page, "integer", 321)
    expect(page.locator("#values")).to_contain_text("321")


def tabsets(page: Page, _: Path) -> None:
    image_of(page, "#plot")
    page.get_by_role("tab", name="Summary").click()
    expect(page.locator("#summary")).to_contain_text("Median")


def widgets(page: Page, _: Path) -> None:
    expect(page.locator("#update")).to_be_visible(timeout=START)
    page.locator("#obs").fill("3")
    page.locator("#update").click()
    expect(page.locator("#view tr")).to_have_count(4)


def html(page: Page, _: Path) -> None:
    expect(page.locator("#summary")).to_contain_text("Median", timeout=START)
    image_changes(page, "#plot", lambda: page.locator("select[name=dist]").select_option("exp"))


def upload(page: Page, folder: Path) -> None:
    file = folder / "people.csv"
    file.write_text("name,age\nAda,36\nGrace,85\n")
    page.locator("#file1").set_input_files(file)
    expect(page.locator("#contents")).to_contain_text("Grace", timeout=START)


def download(page: Page, folder: Path) -> None:
    expect(page.locator("#table")).to_contain_text("area", timeout=START)
    with page.expect_download() as begun:
        page.locator("#downloadData").click()
    assert begun.value.suggested_filename == "rock.csv"
    begun.value.save_as(folder / "rock.csv")
    assert (folder / "rock.csv").read_text().startswith('"area","peri","shape","perm"')


def timer(page: Page, _: Path) -> None:
    clock = page.locator("#currentTime")
    expect(clock).to_contain_text("The current time is", timeout=START)
    first = clock.inner_text()
    expect(clock).not_to_have_text(first)


USES: dict[str, Callable[[Page, Path], None]] = {
    "01_hello": hello,
    "02_text": text,
    "03_reactivity": reactivity,
    "04_mpg": mpg,
    "05_sliders": sliders,
    "06_tabsets": tabsets,
    "07_widgets": widgets,
    "08_html": html,
    "09_upload": upload,
    "10_download": download,
    "11_timer": timer,
}


def test_every_example_of_shiny_is_used_here() -> None:
    assert sorted(USES) == sorted(folder.name for folder in SHINY_EXAMPLES.iterdir())


@pytest.mark.parametrize("example", USES)
def test_example_works_from_the_waiting_page_on(
    example: str, stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    url = stack.publish(SHINY_EXAMPLES / example, f"/shiny/{example}", instance_idle_timeout=5)
    first = page.goto(url)
    assert first and first.status == 202
    assert 'id="start"' in first.text()
    expect(page.locator("main#start")).to_have_count(0, timeout=START)
    USES[example](page, tmp_path)
