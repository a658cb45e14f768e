# Says what an app can see of its R.
library(shiny)
ui <- function(request) {
  plain <- Filter(function(option) is.atomic(option) && length(option) > 0L, options())
  plain <- plain[setdiff(names(plain), c("shiny.sharedSecret"))]
  own <- dirname(Sys.getenv("HOME"))
  answer <- list(
    environment = as.list(Sys.getenv()),
    level = Sys.getenv("LEVEL"),
    zone = Sys.timezone(),
    noon = format(as.POSIXct(0, origin = "1970-01-01"), "%H:%M %Z"),
    options = lapply(plain[order(names(plain))], function(option) gsub(own, "", format(option), fixed = TRUE)),
    search = search(),
    libraries = .libPaths(),
    home = path.expand("~") == Sys.getenv("HOME"),
    temporary = dirname(tempdir()) == Sys.getenv("TMPDIR"),
    directory = getwd(),
    umask = format(Sys.umask()),
    locale = Sys.getlocale(),
    jit = compiler::enableJIT(-1),
    seed = exists(".Random.seed", globalenv()),
    globals = ls(globalenv(), all.names = TRUE),
    interactive = interactive(),
    device = names(dev.list()),
    capabilities = unname(capabilities("cairo"))
  )
  httpResponse(200, "application/json", as.character(jsonlite::toJSON(answer, auto_unbox = TRUE)))
}
shinyApp(ui, function(input, output) {})
