"""An app that shows what its connection does: it echoes, counts, and sends and takes messages of
any size.
"""

from playwright.sync_api import Page, expect

_SOURCE = """
library(shiny)
shinyApp(
  fluidPage(
    textInput("said", "Say"), textOutput("heard"), textOutput("ticks"), textOutput("took"),
    tags$script(HTML("window.got = null; $(document).on('shiny:connected', function() {
      Shiny.addCustomMessageHandler('big', function(text) { window.got = [text.length, text.slice(0, 5), text.slice(-5)]; });
      window.ticked = []; Shiny.addCustomMessageHandler('tick', function(count) { window.ticked.push(count); });
    });"))
  ),
  function(input, output, session) {
    count <- 0
    output$heard <- renderText(paste0("heard: ", input$said))
    observe({ invalidateLater(INTERVAL); count <<- count + 1; session$sendCustomMessage("tick", count) })
    observeEvent(input$want, session$sendCustomMessage("big", paste0("begin", strrep("x", input$want - 8), "end")))
    output$took <- renderText({ req(input$big); paste(nchar(input$big), substr(input$big, 1, 5)) })
  }
)
"""  # noqa: E501


def carrying(every: int) -> str:
    """The app's source; it counts every so many milliseconds."""
    return _SOURCE.replace("INTERVAL", str(every))


CARRY = carrying(250)


def say(page: Page, text: str) -> None:
    """Type ``text`` and wait for the app's answer."""
    page.locator("#said").fill(text)
    expect(page.locator("#heard")).to_have_text(f"heard: {text}", timeout=20_000)


def in_order(page: Page) -> list[int]:
    """The counts that have arrived; each came once and in its order."""
    ticked: list[int] = page.evaluate("window.ticked")
    assert ticked == list(range(ticked[0], ticked[0] + len(ticked))) if ticked else True, ticked
    return ticked
