"""DT's tables, whose rows the server gives page by page as they are asked for."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.apps import app
from tests.support.stack import StackProcess

pytestmark = [pytest.mark.stack, pytest.mark.browser]

TABLE = """
library(shiny)
shinyApp(
  fluidPage(DT::DTOutput("table")),
  function(input, output) {
    rows <- data.frame(number = seq_len(5000), square = seq_len(5000)^2)
    output$table <- DT::renderDT(rows, server = TRUE)
  }
)
"""


def test_a_data_table_pages_and_searches_on_the_server(
    stack: StackProcess, page: Page, tmp_path: Path
) -> None:
    page.goto(stack.publish(app(tmp_path / "table", TABLE), "/data-table"))
    rows = page.locator("#table tbody tr")
    expect(rows).to_have_count(10, timeout=60_000)
    page.get_by_text("Next", exact=True).click()
    expect(rows.first).to_contain_text("121")
    page.locator("#table input[type=search]").fill("24990001")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("4999")
