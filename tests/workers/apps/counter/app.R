# Its state is in its process.
library(shiny)
visits <- 0
shinyApp(
  fluidPage(actionButton("click", "Click"), textOutput("echo")),
  function(input, output, session) {
    output$echo <- renderText({
      input$click
      visits <<- visits + 1
      paste0("count ", visits)
    })
  }
)
