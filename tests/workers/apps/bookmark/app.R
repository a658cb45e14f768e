# Stores its visitor's state on the server as soon as a session begins.
library(shiny)
enableBookmarking("server")
shinyApp(
  function(request) fluidPage(textOutput("url")),
  function(input, output, session) {
    url <- reactiveVal("none yet")
    output$url <- renderText(url())
    onBookmarked(function(stored) url(stored))
    observeEvent(TRUE, session$doBookmark())
  }
)
