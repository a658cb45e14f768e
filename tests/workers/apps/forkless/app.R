# Starts in an R of its own only, like an app with a package that cannot be used after a fork.
if (any(grepl("preloaded.R", commandArgs(FALSE), fixed = TRUE))) stop("this cannot be used in a forked process")
library(shiny)
shinyApp(fluidPage(textInput("word", "Word"), textOutput("echo")), function(input, output) output$echo <- renderText(input$word))
