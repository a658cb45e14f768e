# Says what R knows of the visitor: of the request for the page, and of the session's.
library(shiny)
said <- function(request) {
  values <- Filter(function(value) is.character(value) && length(value) == 1L, as.list(request))
  values[["headers"]] <- paste(names(request$HEADERS), collapse = " ")
  as.character(jsonlite::toJSON(values, auto_unbox = TRUE))
}
ui <- function(request) {
  page <- fluidPage(tags$pre(id = "page", said(request)), verbatimTextOutput("session"), textOutput("client"))
  cookies <- list("Set-Cookie" = "set=by-page; Path=/")
  httpResponse(200, "text/html; charset=UTF-8", shiny:::renderPage(page), headers = cookies)
}
shinyApp(
  ui,
  function(input, output, session) {
    output$session <- renderText(said(session$request))
    output$client <- renderText({
      names <- c("url_protocol", "url_hostname", "url_port", "url_pathname", "url_search")
      paste(names, lapply(names, function(name) session$clientData[[name]]), sep = "=", collapse = " ")
    })
  }
)
