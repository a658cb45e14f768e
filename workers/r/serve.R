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
  # Shiny draws the ids that are passes (session tokens, upload jobs, bookmarked states) from R's generator, which R seeds with 32 bits of clock and
  # process id: a visitor who knows one id can work out all the others (FACTS R10). They come from the system's random source instead, which
  # needs no seed and leaves the app's random stream alone.
  system_id <- function(bytes, prefix = "", suffix = "") {
    source <- file("/dev/urandom", "rb", raw = TRUE)
    on.exit(close(source))
    drawn <- readBin(source, "raw", bytes)
    if (length(drawn) != bytes) stop("/dev/urandom gave no random bytes, so no session can have an id", call. = FALSE)
    paste0(prefix, paste(format(drawn), collapse = ""), suffix)
  }
  tryCatch(
    {
      shiny <- asNamespace("shiny")
      for (method in list(shiny$ShinySession$public_methods$initialize, shiny$FileUploadContext$public_methods$createUploadOperation)) {
        if (!"createUniqueId" %in% all.names(body(method))) stop("its sessions or uploads take their ids from elsewhere")
      }
      if (!identical(names(formals(shiny$createUniqueId)), names(formals(system_id)))) stop("its createUniqueId has other arguments")
      environment(system_id) <- baseenv()
      utils::assignInNamespace("createUniqueId", system_id, "shiny")
    },
    error = function(problem) {
      message(
        "WARNING: session ids can be guessed. Sheen does not know how Shiny ", utils::packageVersion("shiny"), " makes them: ",
        conditionMessage(problem), ". They come from R's own random numbers, so one visitor can work out another's downloads and bookmarks. ",
        "Publish the app with another version of Shiny."
      )
    }
  )
  # Apps ask serverInfo() whether they are hosted.
  if (exists("setServerInfo", asNamespace("shiny"), mode = "function")) {
    utils::getFromNamespace("setServerInfo", "shiny")(
      shinyServer = TRUE,
      version = Sys.getenv("SHINY_SERVER_VERSION"),
      edition = "OS"
    )
  }
  if (identical(parameters$bookmarks, "off")) {
    refuse <- function(id, callback) {
      stop("This server stores no bookmarked states (bookmark_state_dir); use enableBookmarking(\"url\")", call. = FALSE)
    }
    shiny::shinyOptions(save.interface = refuse, load.interface = refuse)
  } else if (nzchar(parameters$bookmarks)) { # enableBookmarking("server"): the app's folder goes with its instance
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
