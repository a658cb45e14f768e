# Every input of Shiny's, and what the image has beside R: each output says what R got.
library(shiny)

odbc <- function(driver, database) {
  channel <- RODBC::odbcDriverConnect(sprintf("Driver=%s;Database=%s", driver, database), believeNRows = FALSE) # the driver counts no rows ahead
  RODBC::sqlQuery(channel, "SELECT 6 * 7 AS answer")$answer
}

document <- function() {
  source <- file.path(tempdir(), "report.Rmd")
  writeLines(c("---", "title: A report", "output: html_document", "---", "", "`r 6 * 7` and *more*", "", "```{r}", "plot(1:3)", "```"), source)
  page <- readLines(rmarkdown::render(source, quiet = TRUE), warn = FALSE)
  any(grepl("42 and <em>more</em>", page, fixed = TRUE)) && any(grepl("data:image/png", page, fixed = TRUE))
}

ui <- fluidPage(
  textInput("text", "Text"), textAreaInput("area", "Area"), passwordInput("password", "Password"),
  numericInput("number", "Number", 1), sliderInput("slider", "Slider", 0, 10, 5),
  dateInput("date", "Date", "2026-11-20"), dateRangeInput("range", "Range", "2026-11-01", "2026-11-30"),
  selectInput("select", "Select", c("a", "b")), selectInput("plain", "Plain", c("a", "b"), selectize = FALSE),
  varSelectInput("column", "Column", iris), checkboxInput("check", "Check"),
  checkboxGroupInput("group", "Group", c("x", "y")), radioButtons("radio", "Radio", c("one", "two")),
  actionButton("button", "Button"), actionLink("link", "Link"), fileInput("file", "File"), downloadButton("download", "Download"),
  plotOutput("plot", width = "300px", height = "200px", click = "click"), verbatimTextOutput("got"), verbatimTextOutput("machine")
)

server <- function(input, output, session) {
  show <- function(...) paste(format(list(...)), collapse = " | ")
  output$got <- renderText({
    names <- c("text", "area", "password", "number", "slider", "date", "range", "select", "plain", "column", "check", "group", "radio", "button", "link")
    values <- vapply(names, function(name) paste(as.character(input[[name]]), collapse = ","), "")
    file <- if (is.null(input$file)) "" else paste(readLines(input$file$datapath), collapse = ",")
    click <- if (is.null(input$click)) "" else "clicked"
    paste(c(sprintf("%s=%s", names, values), paste0("file=", file), paste0("click=", click)), collapse = "\n")
  })
  output$plot <- renderPlot(plot(1:3, main = "\u00c4 title \u2013 with signs"))
  output$download <- downloadHandler("data.csv", function(file) write.csv(head(iris), file))
  output$machine <- renderText({
    drivers <- sort(sub("\\[(.*)\\]", "\\1", grep("^\\[", readLines("/etc/odbcinst.ini"), value = TRUE)))
    writable <- suppressWarnings(system2("sh", c("-c", shQuote("find / -xdev -writable \\( -type d -o -type f \\) 2>/dev/null")), stdout = TRUE))
    paste(c(
      paste0("sqlite=", odbc("SQLite3", tempfile())),
      paste0("drivers=", paste(drivers, collapse = ",")),
      paste0("document=", document()),
      paste0("locale=", Sys.setlocale("LC_TIME", "en_US.UTF-8")),
      paste0("cairo=", capabilities("cairo"), ",", requireNamespace("Cairo", quietly = TRUE)),
      paste0("dbi=", requireNamespace("DBI", quietly = TRUE)),
      paste0("user=", system2("id", "-u", stdout = TRUE)),
      paste0("root=", tryCatch({
        suppressWarnings(file.create("/etc/made")) || file.access("/", 2) == 0
      }, error = function(e) FALSE)),
      paste0("writable=", paste(writable, collapse = ","))
    ), collapse = "\n")
  })
}

shinyApp(ui, server)
