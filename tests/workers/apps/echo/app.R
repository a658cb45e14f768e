library(shiny)
shinyApp(
  fluidPage(textInput("word", "Word"), textOutput("echo")),
  function(input, output, session) output$echo <- renderText(paste0("you said ", input$word))
)
