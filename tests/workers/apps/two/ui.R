shinyUI(fluidPage(titlePanel("Two files"), tags$img(src = "dot.svg")))
