# How a worker serves its app: a function of the parameters (see start.R and preloaded.R), which returns when the app has stopped itself.
#
# How far the start is goes to stderr as a line "<mark> <phase>"; the mark is random for each start, so that nothing
# the app happens to print is taken for one:
#   app    Shiny is loaded and the app's own code starts to run
#   ready  the socket is open
function(parameters) {
  phase <- function(name) cat(paste0("\n", parameters$mark, " ", name, "\n"), file = stderr())

  if (file.access(".", 5L) != 0L) {
    stop("the app's folder ", getwd(), " cannot be read by the app's user", call. = FALSE)
  }
  options(
    shiny.sharedSecret = parameters$secret,
    shiny.sanitize.errors = identical(parameters$sanitize_errors, "true"),
    shiny.autoreload = FALSE,
    bitmapType = "cairo",
    # plot() outside of a render function would write Rplots.pdf into the app's folder, which is read-only
    device = function(...) grDevices::pdf(NULL)
  )
  socket <- parameters$socket
  attr(socket, "mask") <- strtoi("0077", 8L) # FACTS R2

  if (!suppressPackageStartupMessages(require("shiny", quietly = TRUE))) { # runApp would attach it, and say so
    stop("the R package shiny is not installed", call. = FALSE)
  }
  if (nzchar(parameters$bookmarks)) { # enableBookmarking("server"): the app's folder is read-only, and a version's own
    state <- function(id) file.path(parameters$bookmarks, id)
    shiny::shinyOptions(
      save.interface = function(id, callback) {
        dir.create(state(id), mode = "0700")
        callback(state(id))
      },
      load.interface = function(id, callback) callback(state(id))
    )
  }
  # httpuv sees a unix socket and the agent. Who asks for what the agent says in a header, which is put where apps look for it.
  locate <- function(request) {
    if (is.null(request$HTTP_SHEEN_VISITOR)) return(NULL)
    told <- strsplit(request$HTTP_SHEEN_VISITOR, " ", fixed = TRUE)[[1L]]
    names(told) <- c("REMOTE_ADDR", "rook.url_scheme", "SERVER_NAME", "SERVER_PORT")
    for (name in names(told)[told != "-"]) assign(name, told[[name]], envir = request)
    rm("HTTP_SHEEN_VISITOR", envir = request)
    request$HEADERS <- request$HEADERS[names(request$HEADERS) != "sheen-visitor"]
    NULL
  }
  handlers <- utils::getFromNamespace("handlerManager", "shiny")
  handlers$addHandler(locate, "sheen")
  handlers$addWSHandler(function(socket) locate(socket$request), "sheen")
  setHook("shiny.onAppStart", function(...) phase("ready"))
  phase("app")
  shiny::runApp(
    appDir = getwd(),
    port = socket,
    launch.browser = FALSE,
    quiet = TRUE,
    workerId = Sys.getenv("WORKER_ID")
  )
}
