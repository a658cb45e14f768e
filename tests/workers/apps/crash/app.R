library(shiny)
cat("reading the data\n")
stop("the file sales.csv is missing")
