"""The breast cancer example from nothing to its newest data: trained as a task, synced, shown."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.stack import TREE, StackProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

EXAMPLE = TREE / "examples" / "breast-cancer"
PREFIX = "data/breast-cancer/"
PATIENCE = 60_000


def rate(page: Page, name: str) -> float:
    text = page.locator(".rate", has_text=name).locator(".value").inner_text()
    return float(text.removesuffix(" %"))


def counted(page: Page) -> list[int]:
    """Hits, misses, false alarms, and those rightly cleared."""
    return [int(text) for text in page.locator(".confusion td").all_inner_texts()]


def fact(page: Page, name: str) -> Locator:
    return page.locator(".facts > div", has_text=name).locator(".value")


def set_threshold(page: Page, value: str) -> None:
    page.evaluate(
        "value => $('#threshold').data('ionRangeSlider').update({from: value})", float(value)
    )


def at(plot: Locator, x: float, y: float) -> tuple[float, float]:
    """Where a sample of the plot is on the page, by the plot's margins (in lines of 19.2 pixels)
    and axes.
    """
    box = plot.bounding_box()
    assert box is not None
    left, right, top, bottom = (lines * 19.2 for lines in (4.2, 0.6, 0.6, 3.8))
    along, up = (x - 0.1) / 10.8, (y + 0.04) / 1.08
    return box["x"] + left + (box["width"] - left - right) * along, box["y"] + top + (
        box["height"] - top - bottom
    ) * (1 - up)


def test_the_example_is_trained_synced_and_shown(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    url = stack.publish(EXAMPLE, "/breast-cancer")
    page.goto(url)
    expect(page.get_by_text("No model yet")).to_be_visible(timeout=PATIENCE)

    stack.sheen("sync", "define", "breast-cancer", "urgent=/", "apps=/breast-cancer")
    said = stack.sheen("run", "/breast-cancer", "train.R", "--to", PREFIX).stdout
    found = re.search(r"held-out samples: (0\.\d+)", said)
    assert found
    assert float(found[1]) > 0.98
    stack.sheen("sync", "breast-cancer", "--follow")
    page.goto(url)
    expect(fact(page, "ROC AUC")).to_have_text(found[1], timeout=PATIENCE)

    # The threshold trades one rate for the other, and every sample is counted at each.
    samples = int(fact(page, "held-out samples").inner_text())
    expect(page.locator("#samples img")).to_be_visible()
    assert sum(counted(page)) == samples
    before = counted(page)
    set_threshold(page, "0.05")
    expect(page.locator(".confusion td").first).not_to_have_text(str(before[0]))
    low = rate(page, "Sensitivity"), rate(page, "Specificity")
    set_threshold(page, "0.97")
    page.wait_for_function(
        "low => parseFloat(document.querySelector('.rate .value').textContent) < low", arg=low[0]
    )
    assert rate(page, "Specificity") > low[1]
    assert sum(counted(page)) == samples

    # A click shows one sample's prediction, a drag lists the samples in it.
    plot = page.locator("#samples img")
    page.mouse.click(*at(plot, 10, 1.0))
    expect(page.locator("#one")).to_contain_text("Patient")
    expect(page.locator("#one .verdict")).to_have_text("malignant")
    page.mouse.move(*at(plot, 0.2, 1.03))
    page.mouse.down()
    page.mouse.move(*at(plot, 10.8, -0.03), steps=4)
    page.mouse.up()
    expect(page.locator("#counted")).to_contain_text(
        f"{samples} samples, {sum(before[:2])} of them malignant"
    )
    expect(page.locator("#selected tbody tr")).to_have_count(samples)

    # New data: it is shown without a reload.
    s3, bucket = stack.client("s3"), stack.environment()["SHEEN_BUCKET"]
    rows = (
        s3.get_object(Bucket=bucket, Key=f"{PREFIX}test.csv")["Body"]
        .read()
        .splitlines(keepends=True)
    )
    s3.put_object(Bucket=bucket, Key=f"{PREFIX}test.csv", Body=b"".join(rows[:101]))
    stack.sheen("sync", "breast-cancer", "--follow")
    expect(fact(page, "held-out samples")).to_have_text("100", timeout=PATIENCE)
    assert sum(counted(page)) == 100
