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

PYTHON_ECHO = """
import os

from shiny import App, render, ui


def server(input, output, session):
    @render.text
    def heard():
        return f"heard: {input.said()}"

    @render.text
    def who():
        return f"{os.getpid()} {session.id}"

    @render.text
    def uploaded():
        return open(input.file()[0]["datapath"]).read()


outputs = [ui.output_text(name) for name in ("heard", "who", "uploaded")]
app = App(ui.page_fluid(ui.input_text("said", "Say"), ui.input_file("file", "File"), *outputs), server)
"""  # noqa: E501
"""The same as an app of Shiny for Python, which takes a file as well."""


def app(folder: Path, source: str = ECHO, name: str = "app.R") -> Path:
    """Write an app into ``folder`` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(source)
    return folder
