# How a worker serves its app: a function of the parameters (see start.R and preloaded.R), which returns when the app has stopped itself.
#
# How far the start is goes to stderr as a line "<mark> <phase>"; the mark is random for each start, so that nothing
# the app happens to print is taken for one:
#   app      Shiny is loaded and the app's own code starts to run
#   ready    the socket is open
#   run_app  the app's own code has called runApp()
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
    # plot() outside of a render function would write Rplots.pdf into the app's folder
    device = function(...) grDevices::pdf(NULL)
  )
  socket <- parameters$socket
  attr(socket, "mask") <- strtoi("0077", 8L) # FACTS R2

  if (!suppressPackageStartupMessages(require("shiny", quietly = TRUE))) { # runApp would attach it, and say so
    stop("the R package shiny is not installed", call. = FALSE)
  }
  if (nzchar(parameters$bookmarks)) { # enableBookmarking("server"): the app's folder goes with its instance
    state <- function(id) file.path(parameters$bookmarks, id)
    shiny::shinyOptions(
      save.interface = function(id, callback) {
        dir.create(state(id), mode = "0700")
        callback(state(id))
      },
      load.interface = function(id, callback) callback(state(id))
    )
  }
  setHook("shiny.onAppStart", function(...) {
    if (!file.exists(socket)) { # another app was started while this one's files are read, on a port of its own
      phase("run_app")
      stop("the app calls runApp(); end app.R with shinyApp(ui, server) instead", call. = FALSE)
    }
    phase("ready")
  })
  phase("app")
  invisible(tryCatch(
    shiny::runApp(
      appDir = getwd(),
      port = socket,
      launch.browser = FALSE,
      quiet = TRUE,
      workerId = Sys.getenv("WORKER_ID")
    ),
    interrupt = function(condition) NULL # the agent asks it to stop; handlers of onStop() have run
  ))
}
