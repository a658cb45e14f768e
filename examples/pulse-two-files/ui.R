# Two files: the page here, the server side in server.R, what the browser asks for by name in www/.
library(shiny)

fluidPage(
  title = "Pulse in two files",
  tags$head(tags$link(rel = "stylesheet", href = "pulse.css")),
  h2("Pulse in two files"),
  p("The same app as Pulse, written as ui.R and server.R."),
  sidebarLayout(
    sidebarPanel(
      textInput("name", "Your name", "visitor"),
      sliderInput("frequency", "Frequency", min = 1, max = 12, value = 3),
      selectInput("shape", "Shape", c("sine", "square", "sawtooth")),
      actionButton("beat", "Beat")
    ),
    mainPanel(
      h4(textOutput("greeting")),
      plotOutput("wave", height = "260px"),
      p("Beats: ", textOutput("beats", inline = TRUE), " · seconds here: ", textOutput("seconds", inline = TRUE))
    )
  )
)
