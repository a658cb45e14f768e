"""Small apps that tests publish."""

from pathlib import Path

ECHO = """
library(shiny)
shinyApp(
  fluidPage(textInput("said", "Say"), textOutput("heard"), verbatimTextOutput("who")),
  function(input, output, session) {
    output$heard <- renderText(paste0("heard: ", input$said))
    output$who <- renderText(paste(Sys.getpid(), session$token))
  }
)
"""


def app(folder: Path, source: str = ECHO, name: str = "app.R") -> Path:
    """Write an app into ``folder`` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(source)
    return folder
