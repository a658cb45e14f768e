# Plain HTTP answers, to see how the proxy passes them on.
library(shiny)
ui <- function(request) {
  body <- paste(request$rook.input$read_lines(), collapse = "\n")
  switch(request$PATH_INFO,
    "/" = fluidPage("routes"),
    "/redirect" = httpResponse(302, "text/plain", "", headers = list(Location = "/target?a=1")),
    "/error" = httpResponse(500, "text/html", "<h1>no</h1>"),
    "/post" = httpResponse(200, "text/plain", paste(request$REQUEST_METHOD, nchar(body), request$QUERY_STRING)),
    "/large" = httpResponse(200, "application/octet-stream", raw(3e7)),
    "/headers" = httpResponse(200, "application/json", as.character(jsonlite::toJSON(as.list(unlist(Filter(is.character, as.list(request)))), auto_unbox = TRUE))),
    "/status" = httpResponse(as.integer(parseQueryString(request$QUERY_STRING)$s), "text/plain", "x", headers = list(ETag = "\"e\"")),
    "/no-value" = httpResponse(200, "text/plain", "x", headers = list("X-Empty" = "")),
    "/chunked-length" = httpResponse(200, "text/plain", "x", headers = list("Transfer-Encoding" = "chunked")),
    "/wrong-length" = httpResponse(200, "text/plain", "x", headers = list("Content-Length" = "NA")),
    "/no-name" = httpResponse(200, "text/plain", "x", headers = list("X B" = "1")),
    "/bytes" = httpResponse(200, "text/plain", "x", headers = list("X-B" = "caf\xe9")),
    "/die" = tools::pskill(Sys.getpid(), tools::SIGKILL),
    httpResponse(404, "text/plain", "none")
  )
}
attr(ui, "http_methods_supported") <- c("GET", "POST")
shinyApp(ui, function(input, output) {}, uiPattern = ".*")
