library(shiny)

shape_of <- function(shape, phase) {
  switch(shape,
    sine = sin(phase),
    square = sign(sin(phase)),
    sawtooth = 2 * (phase / (2 * pi) - floor(0.5 + phase / (2 * pi)))
  )
}

function(input, output, session) {
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
