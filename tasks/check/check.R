# Find what cannot work in an app's R files, without running any of them.
#
# Arguments: a mark, "appobj" or "server" (what the app must evaluate to), and whether the code may
# find packages in places that this check does not search. Two files hold lists: "run" has the files
# that Shiny runs, in this order, with the one that must evaluate to something last; "others" has
# the other files. A finding is a line "<mark> <refuse|doubt> <file> <line> <text>", separated by
# tabs; the last line is "<mark> done".
local({
  arguments <- commandArgs(TRUE)
  mark <- arguments[[1L]]
  wanted <- arguments[[2L]]
  elsewhere <- identical(arguments[[3L]], "elsewhere")
  run <- readLines("run", encoding = "UTF-8")
  others <- readLines("others", encoding = "UTF-8")

  say <- function(kind, file = "", line = 0L, text = "") {
    text <- gsub("[\t\r]", " ", paste(text, collapse = "\n"))
    cat(mark, kind, file, line, gsub("\n", "\\n", text, fixed = TRUE), sep = "\t")
    cat("\n")
  }

  # Read and parse a file like Shiny.
  parse_file <- function(file) {
    path <- file.path("app", file)
    connection <- file(path, encoding = "UTF-8")
    lines <- tryCatch(suppressWarnings(enc2utf8(readLines(connection, warn = FALSE))), finally = close(connection))
    encoding <- if (any(Encoding(lines) == "UTF-8")) "UTF-8" else "unknown"
    expressions <- parse(path, keep.source = FALSE, srcfile = srcfilecopy(file, lines), encoding = encoding)
    with_lines <- tryCatch(parse(path, keep.source = TRUE, encoding = encoding), error = function(condition) expressions)
    if (length(with_lines) == length(expressions)) with_lines else expressions
  }
  parsed <- list()
  for (file in c(run, others)) {
    parsed[[file]] <- tryCatch(parse_file(file), error = function(condition) {
      text <- conditionMessage(condition)
      at <- regmatches(text, regexec("^[^\n]*?:([0-9]+):[0-9]+: ", text))[[1L]]
      say(if (file %in% run) "refuse" else "doubt", file, if (length(at) > 1L) at[[2L]] else 0L, text)
      NULL
    })
  }
  parsed <- parsed[lengths(parsed) > 0L | names(parsed) %in% run]

  name_of <- function(call) {
    head <- call[[1L]]
    if (is.symbol(head)) return(as.character(head))
    if (is.call(head) && length(head) == 3L && as.character(head[[1L]]) %in% c("::", ":::")) return(as.character(head[[3L]]))
    ""
  }
  text_of <- function(value) if (is.symbol(value) || (is.character(value) && length(value) == 1L)) as.character(value) else ""

  names_used <- unique(unlist(lapply(parsed, all.names), use.names = FALSE))
  # Code that installs packages, or says where they are, may have packages that are missing here.
  elsewhere <- elsewhere || any(c(
    "install.packages", ".libPaths", "lib.loc", "p_load", "pkg_install", "install_github", "install_version", "install_cran",
    "install_local", "restore", "load_all"
  ) %in% names_used)
  own <- new.env() # names checked here that the app itself defines
  define <- function(expr) {
    if (!is.call(expr)) return()
    if (name_of(expr) %in% c("<-", "=", "<<-") && length(expr) == 3L) {
      name <- text_of(expr[[2L]])
      if (nzchar(name)) assign(name, TRUE, own)
    }
  }
  is_own <- function(name) exists(name, own, inherits = FALSE)

  there <- function(package) length(find.package(package, quiet = TRUE)) > 0L
  known <- new.env()
  # R's message about a package, or NULL if the package can be loaded.
  trouble <- function(package) {
    if (exists(package, known, inherits = FALSE)) return(get(package, known))
    text <- if (!there(package)) {
      tryCatch(library(package, character.only = TRUE), error = conditionMessage)
    } else if (startsWith(normalizePath(find.package(package)), normalizePath(.Library)) ||
      dirname(find.package(package)) %in% c(.Library, .Library.site)) {
      NULL # the image's own
    } else {
      tryCatch({ suppressWarnings(suppressMessages(loadNamespace(package))); NULL }, error = conditionMessage)
    }
    assign(package, text, known)
    text
  }

  through <- c("{", "(", "suppressWarnings", "suppressMessages", "suppressPackageStartupMessages", "invisible", "local")
  doubts <- list()
  guarded <- character() # packages whose presence the code checks before it uses them
  needs <- function(package, file, line, certain) {
    if (!nzchar(package) || !grepl("^[A-Za-z][A-Za-z0-9.]*$", package)) return()
    text <- trouble(package)
    certain <- certain && !elsewhere
    if (is.null(text)) return()
    if (certain) return(say("refuse", file, line, text))
    if (package %in% names(doubts) || grepl("^(tests|dev|data-raw)/", file)) return()
    doubts[[package]] <<- list(file = file, line = line, text = text)
  }
  # certain: whether this always runs.
  walk <- function(expr, file, line, certain) {
    if (is.pairlist(expr) || is.expression(expr)) {
      for (part in as.list(expr)) if (!missing(part)) walk(part, file, line, FALSE)
      return(invisible())
    }
    if (!is.call(expr)) return(invisible())
    name <- name_of(expr)
    if (name %in% c("quote", "bquote", "~", "expression", "substitute")) return(invisible())
    if (name %in% c("::", ":::") && length(expr) == 3L) {
      needs(text_of(expr[[2L]]), file, line, FALSE)
      return(invisible())
    }
    if (name %in% c("requireNamespace", "is_installed", "check_installed", "find.package", "system.file")) {
      guarded <<- c(guarded, unlist(lapply(as.list(expr)[-1L], function(word) if (is.character(word)) word)))
    }
    if (name %in% c("library", "require") && length(expr) == 2L && all(names(expr) %in% c("", "package"))) {
      needs(text_of(expr[[2L]]), file, line, certain && name == "library" && !is_own("library"))
    }
    if (name %in% c("runApp", "runGadget") && certain && !is_own("runApp")) {
      say("refuse", file, line, "run_app")
    }
    if (is.call(expr[[1L]])) walk(expr[[1L]], file, line, FALSE)
    for (part in as.list(expr)[-1L]) {
      if (!missing(part)) walk(part, file, line, certain && name %in% through)
    }
    invisible()
  }
  line_of <- function(expressions, number) {
    places <- attr(expressions, "srcref")
    if (length(places) < number || is.null(places[[number]])) 0L else as.integer(places[[number]])[[1L]]
  }

  for (file in run) for (expr in as.list(parsed[[file]])) define(expr)
  for (file in names(parsed)) {
    expressions <- parsed[[file]]
    for (number in seq_along(expressions)) {
      line <- line_of(expressions, number)
      tryCatch(
        walk(expressions[[number]], file, line, file %in% run),
        error = function(condition) say("doubt", file, line, paste("it could not be looked through:", conditionMessage(condition)))
      )
    }
  }

  for (package in setdiff(names(doubts), guarded)) do.call(say, c("doubt", unname(doubts[[package]])))

  # What the last expression evaluates to: "nothing", "function", or "" if it cannot be seen.
  comes_to <- function(expr) {
    if (is.null(expr)) return("nothing")
    if (!is.call(expr)) return("")
    name <- name_of(expr)
    if (name == "function") return("function")
    if (name %in% c("<-", "=", "<<-") && length(expr) == 3L) return(comes_to(expr[[3L]]))
    if (name %in% setdiff(through, "local") && length(expr) > 1L) return(comes_to(expr[[length(expr)]]))
    if (name %in% c("library", "require", "options", "rm", "cat", "source", "set.seed", "setwd") && !is_own(name)) return("nothing")
    if (name == "if" && length(expr) == 3L && identical(expr[[2L]], quote(interactive())) && !is_own("interactive")) return("nothing")
    ""
  }
  main <- run[[length(run)]]
  expressions <- parsed[[main]]
  if (is.expression(expressions)) {
    count <- length(expressions)
    what <- if (count == 0L) "nothing" else comes_to(expressions[[count]])
    line <- if (count == 0L) 0L else line_of(expressions, count)
    sets_server <- wanted == "server" && "shinyServer" %in% names_used
    if (sets_server) {
      what <- ""
    }
    if (what == "nothing" || (what == "function" && wanted == "appobj")) {
      say("refuse", main, line, wanted)
    } else if (wanted == "appobj" && !is.call(expressions[[count]]) && !any(startsWith(names_used, "shinyApp"))) {
      say("doubt", main, line, wanted)
    }
  }
  say("done")
})
