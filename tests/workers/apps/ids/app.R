# Puts Shiny's private generator and R's own into a state that is the same in every process, and says what ids come then.
library(shiny)
ui <- function(request) {
  set.seed(42)
  before <- .Random.seed
  assign("ownSeed", .Random.seed, envir = shiny:::.globals)
  answer <- list(
    token = shiny:::MockShinySession$new()$token,
    job = shiny:::FileUploadContext$new()$createUploadOperation(list()),
    state = shiny:::createUniqueId(8),
    affixes = shiny:::createUniqueId(2, "a-", "-z"),
    untouched = identical(.Random.seed, before),
    number = runif(1)
  )
  assign("ownSeed", before, envir = shiny:::.globals) # for the session that comes next
  httpResponse(200, "application/json", as.character(jsonlite::toJSON(answer, auto_unbox = TRUE, digits = NA)))
}
shinyApp(ui, function(input, output) {})
