library(shiny)
system("setsid sh -c 'sleep 7323; true' &")
shinyApp(fluidPage("orphan"), function(input, output) {})
