library(shiny)

# Where train.R's files come to: the synced folder on Sheen, else ./data.
folder <- Sys.getenv("SHEEN_SYNC_BREAST_CANCER", "data")

names_of <- c(
  Cl.thickness = "Clump thickness", Cell.size = "Uniformity of cell size", Cell.shape = "Uniformity of cell shape",
  Marg.adhesion = "Marginal adhesion", Epith.c.size = "Epithelial cell size", Bare.nuclei = "Bare nuclei",
  Bl.cromatin = "Bland chromatin", Normal.nucleoli = "Normal nucleoli", Mitoses = "Mitoses"
)
ink <- "#24303c"
faint <- "#d9dfe5"
benign <- "#2a8c82"
malignant <- "#c4453c"

files <- file.path(folder, c("model.json", "test.csv"))
stamp <- function() paste(file.exists(files), file.mtime(files), file.size(files), collapse = " ")

# Reads both files; a sentence when that is not possible (yet).
load_data <- function() {
  if (!all(file.exists(files))) {
    return(NULL)
  }
  tryCatch(
    {
      model <- read_model(folder)
      test <- read_test(folder, model$features)
      test$probability <- predict_malignant(model, test)
      list(model = model, test = test, as_of = max(file.mtime(files)))
    },
    error = function(problem) paste("The data cannot be read:", conditionMessage(problem))
  )
}

percent <- function(share) if (is.na(share)) "\u2013" else sprintf("%.1f %%", 100 * share)

# Beside each other instead of upon each other, always in the same way: findings are whole numbers.
nudged <- function(values, ids) {
  values + (as.numeric(as.factor(ids)) * 0.6180339887) %% 1 * 0.6 - 0.3
}

plain_axes <- function(x, y, at_x = NULL) {
  axis(1, at = at_x, col = NA, col.ticks = faint, col.axis = ink, cex.axis = 0.9)
  axis(2, col = NA, col.ticks = faint, col.axis = ink, las = 1, cex.axis = 0.9)
  mtext(x, 1, line = 2.4, col = ink, cex = 0.95)
  mtext(y, 2, line = 2.9, col = ink, cex = 0.95)
}

panel <- function(title, ..., hint = NULL, class = "") {
  div(class = paste("panel-card", class), h3(title), ..., if (!is.null(hint)) p(class = "hint", hint))
}

lacking <- div(
  class = "panel-card lacking",
  h3("No model yet"),
  p("This app shows what", code("train.R"), "makes of the Wisconsin breast cancer data. It takes less than a minute:"),
  tags$pre(paste(
    "sheen sync define breast-cancer urgent=/ apps=/breast-cancer",
    "sheen run /breast-cancer train.R --to data/breast-cancer/",
    "sheen sync breast-cancer --follow",
    sep = "\n"
  )),
  p("Then load this page again; later results show by themselves. Without Sheen:", code("Rscript train.R"), "in the app's folder.")
)

ui <- fluidPage(
  title = "Breast cancer",
  tags$head(tags$link(rel = "stylesheet", href = "style.css")),
  div(
    class = "top",
    h1("Benign or malignant?"),
    p(
      "Gradient boosted trees read nine findings of a fine needle aspirate. The threshold says from which probability on a sample is",
      "called malignant."
    )
  ),
  uiOutput("page"),
  tags$footer(
    "Data: Wisconsin Breast Cancer Database, W. H. Wolberg, UCI Machine Learning Repository. A demonstration, not a medical device."
  )
)

explorer <- function(features) {
  choices <- setNames(features, ifelse(features %in% names(names_of), names_of[features], features))
  tagList(
    uiOutput("about"),
    div(
      class = "columns",
      div(
        class = "side",
        panel(
          "Threshold",
          sliderInput("threshold", NULL, min = 0.01, max = 0.99, value = 0.5, step = 0.01, width = "100%", ticks = FALSE),
          uiOutput("rates"),
          hint = "Lower it to miss fewer cancers, raise it to alarm fewer of the healthy."
        ),
        panel("ROC curve", plotOutput("roc", height = 240))
      ),
      div(
        class = "wide",
        panel(
          "Held-out samples",
          div(class = "pick", selectInput("feature", NULL, choices, selected = "Cell.size", width = "260px")),
          plotOutput(
            "samples",
            height = 400, click = "point", brush = brushOpts("area", fill = "#5b7fa6", stroke = "#5b7fa6", resetOnNew = TRUE)
          ),
          hint = "Click a sample for its prediction, or drag over some to list them."
        ),
        div(
          class = "two",
          panel("One sample", uiOutput("one")),
          panel("Selected samples", uiOutput("counted"), div(class = "scrolling", tableOutput("selected")))
        )
      )
    )
  )
}

server <- function(input, output, session) {
  found <- reactivePoll(2000, session, stamp, load_data)
  data <- reactive({
    req(is.list(found()))
    found()
  })
  features <- reactive(data()$model$features)
  state <- reactiveVal("") # what the page is made of; unlike the data it changes seldom
  observe({
    now <- if (is.null(found())) "lacking" else if (is.character(found())) found() else paste(c("show", features()), collapse = " ")
    if (!identical(now, isolate(state()))) state(now)
  })

  output$page <- renderUI({
    now <- state()
    if (now == "lacking") {
      lacking
    } else if (startsWith(now, "show ")) {
      explorer(isolate(features()))
    } else {
      div(class = "panel-card lacking", h3("Something is wrong with the data"), p(now))
    }
  })

  output$about <- renderUI({
    model <- data()$model
    facts <- c(
      "ROC AUC, held out" = sprintf("%.4f", area(data()$test$probability, data()$test$malignant)),
      "cross-validated" = sprintf("%.4f \u00b1 %.4f", model$cross_validated$auc, model$cross_validated$sd),
      "held-out samples" = nrow(data()$test),
      "trees" = length(model$trees),
      "trained" = sub("T", " ", sub(":\\d\\dZ$", " UTC", model$trained_at)),
      "data of" = format(data()$as_of, "%Y-%m-%d %H:%M UTC", tz = "UTC")
    )
    div(class = "facts", Map(function(name, value) div(span(class = "value", value), span(class = "name", name)), names(facts), facts))
  })

  rates <- reactive(at_threshold(data()$test$probability, data()$test$malignant, input$threshold))

  output$rates <- renderUI({
    now <- rates()
    bar <- function(name, share, color) {
      div(
        class = "rate",
        span(class = "name", name), span(class = "value", percent(share)),
        div(class = "track", div(class = "fill", style = sprintf("width:%.1f%%;background:%s", 100 * share, color)))
      )
    }
    tagList(
      bar("Sensitivity", now$sensitivity, malignant),
      bar("Specificity", now$specificity, benign),
      tags$table(
        class = "confusion",
        tags$tr(tags$th(), tags$th("called malignant"), tags$th("called benign")),
        tags$tr(tags$th("malignant"), tags$td(class = "good", now$hit), tags$td(class = "bad", now$missed)),
        tags$tr(tags$th("benign"), tags$td(class = "bad", now$false_alarm), tags$td(class = "good", now$cleared))
      )
    )
  })

  placed <- reactive({
    rows <- data()$test
    req(input$feature %in% features())
    value <- rows[[input$feature]]
    value[is.na(value)] <- 0 # a finding that is missing is drawn at the left
    rows$x <- nudged(value, paste(rows$Id, seq_len(nrow(rows))))
    rows$y <- rows$probability
    rows
  })

  selected <- reactive({
    if (!is.null(input$area)) {
      return(brushedPoints(placed(), input$area, "x", "y"))
    }
    rows <- data()$test
    rows[(rows$probability >= input$threshold) != (rows$malignant == 1), ]
  })

  chosen <- reactiveVal(NULL)
  observeEvent(input$point, {
    near <- nearPoints(placed(), input$point, "x", "y", maxpoints = 1, threshold = 12)
    if (nrow(near)) chosen(near)
  })
  one <- reactive({
    rows <- data()$test
    picked <- chosen()
    if (is.null(picked)) {
      return(rows[which.min(abs(rows$probability - input$threshold)), ])
    }
    picked$probability <- predict_malignant(data()$model, picked) # by the model of now
    picked
  })

  output$samples <- renderPlot(
    {
      rows <- placed()
      wrong <- (rows$probability >= input$threshold) != (rows$malignant == 1)
      color <- ifelse(rows$malignant == 1, malignant, benign)
      par(mar = c(3.8, 4.2, 0.6, 0.6), bg = "white")
      plot(rows$x, rows$y, type = "n", axes = FALSE, ann = FALSE, xlim = c(0.5, 10.5), ylim = c(0, 1))
      rect(par("usr")[1], input$threshold, par("usr")[2], par("usr")[4], col = "#fbf3f2", border = NA)
      abline(h = input$threshold, col = ink, lty = 2)
      points(rows$x, rows$y, pch = 21, bg = adjustcolor(color, 0.55), col = color, cex = 1.25)
      points(rows$x[wrong], rows$y[wrong], pch = 1, cex = 2.3, col = ink, lwd = 1.4)
      if (!is.null(chosen())) {
        picked <- rows[rows$Id == chosen()$Id & rows$x == chosen()$x, ]
        points(picked$x, picked$y, pch = 21, cex = 2, bg = ink, col = "white", lwd = 2)
      }
      plain_axes(names_of[[input$feature]], "probability of a malignant tumour", at_x = 1:10)
      legend(
        "bottomright", c("malignant", "benign", "called wrongly"),
        pch = c(21, 21, 1), pt.bg = c(malignant, benign, NA), col = c(malignant, benign, ink),
        pt.cex = c(1.25, 1.25, 2), bty = "n", inset = c(0.02, 0.06), text.col = ink, cex = 0.9
      )
    },
    res = 96
  )

  output$roc <- renderPlot(
    {
      rows <- data()$test
      curve <- roc(rows$probability, rows$malignant)
      par(mar = c(3.8, 4.2, 0.6, 0.6), bg = "white")
      plot(0:1, 0:1, type = "n", axes = FALSE, ann = FALSE)
      abline(0, 1, col = faint)
      lines(curve$false_alarms, curve$sensitivity, type = "s", lwd = 2.5, col = "#5b7fa6")
      points(1 - rates()$specificity, rates()$sensitivity, pch = 21, bg = malignant, col = "white", cex = 2, lwd = 2)
      plain_axes("1 - specificity", "sensitivity")
    },
    res = 88
  )

  output$one <- renderUI({
    sample <- one()
    called <- sample$probability >= input$threshold
    truth <- sample$malignant == 1
    tagList(
      p(class = "hint", if (is.null(chosen())) "The closest to the threshold, until you click another." else paste("Patient", sample$Id)),
      div(
        class = "gauge",
        span(class = paste("verdict", if (called) "malignant" else "benign"), if (called) "malignant" else "benign"),
        span(class = "probability", sprintf("%.1f %%", 100 * sample$probability)),
        div(
          class = "track",
          div(class = "fill", style = sprintf("width:%.1f%%;background:%s", 100 * sample$probability, if (called) malignant else benign)),
          div(class = "mark", style = sprintf("left:%.1f%%", 100 * input$threshold))
        ),
        p(if (called == truth) "Right: it is" else "Wrong: it is", strong(if (truth) "malignant" else "benign", .noWS = "after"), ".")
      ),
      tags$table(class = "findings", lapply(features(), function(feature) {
        value <- sample[[feature]]
        tags$tr(
          tags$th(if (feature %in% names(names_of)) names_of[[feature]] else feature),
          tags$td(div(class = "track", div(class = "fill", style = sprintf("width:%.0f%%", if (is.na(value)) 0 else value * 10)))),
          tags$td(class = "number", if (is.na(value)) "missing" else value)
        )
      }))
    )
  })

  output$counted <- renderUI({
    rows <- selected()
    p(class = "hint", if (is.null(input$area)) {
      sprintf("%d called wrongly at this threshold; drag over the plot for others.", nrow(rows))
    } else {
      sprintf("%d samples, %d of them malignant.", nrow(rows), sum(rows$malignant == 1))
    })
  })
  output$selected <- renderTable(
    {
      rows <- selected()
      rows <- rows[order(-rows$probability), ]
      data.frame(
        Patient = rows$Id,
        Probability = sprintf("%.1f %%", 100 * rows$probability),
        Called = ifelse(rows$probability >= input$threshold, "malignant", "benign"),
        Is = ifelse(rows$malignant == 1, "malignant", "benign")
      )
    },
    width = "100%", spacing = "xs", na = ""
  )
}

shinyApp(ui, server)
