library(shiny)
ui <- function(request) {
  if (request$PATH_INFO == "/flood") repeat cat("flood\n")
  fluidPage("flood")
}
shinyApp(ui, function(input, output) {}, uiPattern = ".*")
