# Says what R code in an app can find out: the answer to "?probe=<pid>" is JSON.
library(shiny)
read <- function(path) tryCatch(paste(readLines(path, warn = FALSE), collapse = "\n"), error = function(e) "", warning = function(w) "")
raw_read <- function(path) tryCatch(rawToChar(readBin(path, "raw", 1e5)[-1]), error = function(e) "", warning = function(w) "")
ui <- function(request) {
  pid <- parseQueryString(request$QUERY_STRING)$probe
  other <- parseQueryString(request$QUERY_STRING)$other
  answer <- list(
    environment = as.list(Sys.getenv()),
    agent_environ = raw_read(file.path("/proc", pid, "environ")),
    agent_fds = tryCatch(list.files(file.path("/proc", pid, "fd")), error = function(e) list()),
    own_fds = unname(Sys.readlink(list.files("/proc/self/fd", full.names = TRUE))),
    agent_signal = tools::pskill(as.integer(pid), 0L),
    other = raw_read(other),
    write_app = tryCatch(file.create("made-by-app"), warning = function(w) FALSE),
    status = read("/proc/self/status"),
    parent_status = read(file.path("/proc", pid, "status")),
    directory = getwd(),
    temporary = tempdir(),
    home = path.expand("~"),
    headers = as.list(unlist(Filter(is.character, as.list(request))))
  )
  httpResponse(200, "application/json", as.character(jsonlite::toJSON(answer, auto_unbox = TRUE)))
}
shinyApp(ui, function(input, output) {})
