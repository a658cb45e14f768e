# A resource that is there once a page was made, as those of widgets are.
library(shiny)
ui <- function(request) {
  folder <- file.path(tempdir(), "made")
  dir.create(folder, showWarnings = FALSE)
  writeLines(Sys.getenv("WORKER_ID"), file.path(folder, "who.txt"))
  addResourcePath("made", folder)
  fluidPage("resources")
}
shinyApp(ui, function(input, output) {})
