# An app beside the author's, with something of its own.
library(shiny)
own <- file.path(Sys.getenv("SHEEN_APP_DATA"), "own.txt")
writeLines("the honest app's private data", own)
Sys.chmod(own, "0644")
shinyApp(function(request) httpResponse(200, "application/json", jsonlite::toJSON(list(value = readLines(own)))), function(input, output) {})
