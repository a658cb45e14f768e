# Says what must differ from process to process.
library(shiny)
ui <- function(request) {
  answer <- list(
    token = shiny:::createUniqueId(16),
    numbers = runif(3),
    sampled = sample.int(1e9, 1),
    temporary = tempdir(),
    file = tempfile(),
    pid = Sys.getpid()
  )
  httpResponse(200, "application/json", as.character(jsonlite::toJSON(answer, auto_unbox = TRUE, digits = NA)))
}
shinyApp(ui, function(input, output) {})
