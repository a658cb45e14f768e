# One file: the page and the server side by side.
library(shiny)

ui <- fluidPage(
  title = "Pulse",
  h2("Pulse"),
  p("A wave that you shape and R draws. Everything here is one visitor's own: open a second tab and it starts anew."),
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

shape_of <- function(shape, phase) {
  switch(shape,
    sine = sin(phase),
    square = sign(sin(phase)),
    sawtooth = 2 * (phase / (2 * pi) - floor(0.5 + phase / (2 * pi)))
  )
}

server <- function(input, output, session) {
  arrived <- Sys.time()
  output$greeting <- renderText(paste0("Hello, ", input$name, "!"))
  output$wave <- renderPlot({
    t <- seq(0, 1, length.out = 600)
    par(mar = c(2, 2, 0.5, 0.5))
    plot(t, shape_of(input$shape, 2 * pi * input$frequency * t), type = "l", lwd = 2, col = "#3b6fd4", xlab = "", ylab = "")
  })
  output$beats <- renderText(input$beat)
  output$seconds <- renderText({
    invalidateLater(1000)
    round(as.numeric(difftime(Sys.time(), arrived, units = "secs")))
  })
}

shinyApp(ui, server)
