# An R that has Shiny loaded and does nothing but fork workers, for apps that it knows nothing of (FACTS R3 to R5).
#
# The agent starts it with the descriptor of a socket as its argument and asks there for each worker (fork.c). No app's code, setting or secret ever is in
# this process: a worker reads its parameters from its own standard input, after the fork and as the app's user. The lines are those of
# start.R and, in "environment.<name>", R's whole environment, with "%", line ends and carriage returns as %25, %0A and %0D.
local({
  control <- as.integer(commandArgs(TRUE))
  here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
  serve <- eval(parse(file.path(here, "serve.R"), encoding = "UTF-8"))
  dyn.load(file.path(here, ".build", "fork.so"))

  threads <- function() length(list.files("/proc/self/task"))
  # later's timer waits in a thread of its own for an R at its prompt. In a worker it is not there, nor needed: runApp() runs what is due.
  loadNamespace("later")
  with_later <- threads()
  suppressPackageStartupMessages(library("shiny", quietly = TRUE))
  before <- options()
  invisible(loadNamespace("httpuv"))
  if (requireNamespace("Cairo", quietly = TRUE)) invisible(NULL)

  # A page, a plot and a session, so that what they load and compile is shared.
  local({
    page <- fluidPage(
      titlePanel("a"),
      sidebarLayout(
        sidebarPanel(
          sliderInput("a", "a", 1, 10, 1), textInput("b", "b"), numericInput("c", "c", 1), selectInput("d", "d", letters),
          checkboxInput("e", "e"), checkboxGroupInput("f", "f", letters), radioButtons("g", "g", letters), actionButton("h", "h"),
          fileInput("i", "i"), downloadButton("j", "j")
        ),
        mainPanel(tabsetPanel(tabPanel("a", plotOutput("k")), tabPanel("b", tableOutput("l"), verbatimTextOutput("m"))), uiOutput("n"))
      )
    )
    shiny:::renderPage(page)
    options(bitmapType = "cairo", device = function(...) grDevices::pdf(NULL))
    unlink(plotPNG(function() graphics::hist(datasets::faithful$waiting, breaks = 10, col = "grey", main = "a"), width = 400, height = 400))
    unlink(plotPNG(function() graphics::plot(datasets::cars), width = 400, height = 400))
    reactiveConsole(TRUE)
    value <- reactiveVal(1)
    double <- reactive(value() * 2)
    watching <- observe(double())
    shiny:::flushReact()
    value(2)
    shiny:::flushReact()
    watching$destroy()
    shiny:::flushReact()
    reactiveConsole(FALSE)
    for (data in list(list(a = 1, b = "a"), datasets::cars)) jsonlite::toJSON(data, auto_unbox = TRUE, dataframe = "columns")
    jsonlite::fromJSON('{"method":"init","data":{"a":1,"b:shiny.number":[1,2]}}')
    invisible(utils::capture.output(print(summary(datasets::cars))))
  })
  for (name in setdiff(names(options()), names(before))) do.call(options, stats::setNames(list(NULL), name))
  options(before)

  # What must not be the same in two workers (FACTS R5).
  suppressWarnings(rm(".Random.seed", envir = globalenv()))
  assign("ownSeed", NULL, envir = shiny:::.globals)
  unlink(tempdir(), recursive = TRUE)
  invisible(gc())
  invisible(gc())

  if (threads() != with_later) stop("a thread runs that would not be there after a fork", call. = FALSE)
  loaded <- setdiff(loadedNamespaces(), "base")
  versions <- vapply(loaded, getNamespaceVersion, "")
  .C("sheen_say", control, paste0(loaded, "=", versions, collapse = " "))

  given <- names(Sys.getenv()) # of these R itself set some; the agent's are named by the worker's parameters
  worker <- .C("sheen_fork", control, worker = 0L)$worker
  if (worker == 0L) quit("no")

  # From here on this is a worker.
  input <- file("stdin", encoding = "UTF-8")
  lines <- readLines(input, warn = FALSE)
  close(input)
  values <- sub("^[^=]*=", "", lines)
  names(values) <- sub("=.*$", "", lines)
  mine <- startsWith(names(values), "environment.")
  environment <- values[mine]
  names(environment) <- substring(names(environment), nchar("environment.") + 1L)
  for (code in list(c("%0A", "\n"), c("%0D", "\r"), c("%25", "%"))) {
    environment[] <- gsub(code[[1L]], code[[2L]], environment, fixed = TRUE)
  }
  parameters <- as.list(values[!mine])

  Sys.unsetenv(strsplit(parameters$unset, " ", fixed = TRUE)[[1L]])
  do.call(Sys.setenv, as.list(environment))
  if ("TZ" %in% names(environment)) invisible(as.POSIXlt(Sys.time()))
  setwd(parameters$directory)
  invisible(tempdir(check = TRUE))
  if ("R_LIBS" %in% names(environment)) .libPaths(c(strsplit(environment[["R_LIBS"]], ":", fixed = TRUE)[[1L]], .libPaths()))
  rm(input, lines, values, mine, environment)
  serve(parameters)
  quit("no")
})
