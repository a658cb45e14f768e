# Starts the Shiny app in the working directory and serves it on a unix socket.
#
# The agent starts R with this file and writes the parameters as "name=value" lines to its standard input, where no
# child of R and no other user can read them later. R has read the app's .Rprofile and .Renviron by then, as it does
# for anything started in that folder.
local({
  script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
  serve <- eval(parse(file.path(dirname(script), "serve.R"), encoding = "UTF-8"))

  input <- file("stdin", encoding = "UTF-8")
  lines <- readLines(input, warn = FALSE)
  close(input)
  parameters <- as.list(sub("^[^=]*=", "", lines))
  names(parameters) <- sub("=.*$", "", lines)
  serve(parameters)
})
