# Answers of every size and lateness, to see how they are passed on.
library(shiny)
pages <- 0
large <- function(n = 3e6) charToRaw(paste(rep("0123456789", n / 10), collapse = ""))
ui <- function(request) {
  sent <- request$rook.input$read()
  query <- parseQueryString(request$QUERY_STRING)
  switch(request$PATH_INFO,
    "/" = fluidPage(HTML(paste(rep("<p>page</p>", 3e5), collapse = ""))),
    "/large.csv" = httpResponse(200, "text/csv", large(), headers = list("Content-Disposition" = "attachment", "X-Other" = "1")),
    "/small" = httpResponse(200, "text/plain", "small", headers = list("X-Other" = "1")),
    "/post" = httpResponse(200, "text/plain", large(as.numeric(query$n) + 10 * length(sent))),
    "/own" = httpResponse(as.integer(query$s), "application/octet-stream", if (query$s == "200") as.raw(c(255, 0, sent[1])) else charToRaw(paste(
      request$REQUEST_METHOD, length(sent), request$HTTP_CONTENT_TYPE, request$HTTP_X_APP_OWN, request$HTTP_ACCEPT, request$HTTP_X_FORWARDED_FOR))),
    "/slow" = { Sys.sleep(2.5); httpResponse(200, "text/plain", paste("slow", rawToChar(sent))) },
    "/slow-large" = { Sys.sleep(2.5); httpResponse(200, "text/plain", large()) },
    "/slow-page" = { pages <<- pages + 1; Sys.sleep(2.5); tags$html(tags$head(), tags$body("page", pages)) },
    "/error" = httpResponse(500, "text/plain", large()),
    "/range" = if (is.null(request$HTTP_RANGE)) httpResponse(200, "video/mp4", large()) else httpResponse(206, "video/mp4", large(2e6)),
    "/session/00c0ffee/upload/job" = httpResponse(200, "text/plain", paste(
      "got", length(sent), digest::digest(sent, "md5", serialize = FALSE), request$HTTP_CONTENT_LENGTH, request$HTTP_CONTENT_TYPE,
      request$HTTP_X_REQUESTED_WITH, request$QUERY_STRING)),
    "/session/00c0ffee/upload/dies" = tools::pskill(Sys.getpid(), tools::SIGKILL),
    httpResponse(404, "text/plain", "none")
  )
}
attr(ui, "http_methods_supported") <- c("GET", "POST", "PUT")
options(shiny.maxRequestSize = 70e6)
shinyApp(ui, function(input, output) {}, uiPattern = ".*")
