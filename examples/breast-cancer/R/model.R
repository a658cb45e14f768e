# Reads what train.R wrote, and predicts with it: the sum of what each tree says, as a probability.

read_model <- function(folder) {
  document <- jsonlite::read_json(file.path(folder, "model.json"), simplifyVector = FALSE)
  document$features <- unlist(document$features)
  document$trees <- lapply(document$trees, function(tree) lapply(tree, unlist))
  document
}

read_test <- function(folder, features) {
  rows <- utils::read.csv(file.path(folder, "test.csv"), colClasses = c(Id = "character"))
  absent <- setdiff(c("Id", features, "malignant"), names(rows))
  if (length(absent)) {
    stop("test.csv has no column ", paste(absent, collapse = ", "), call. = FALSE)
  }
  rows
}

# The probability that each row is malignant. A tree's node n is at n + 1; a leaf's feature is -1.
predict_malignant <- function(model, rows) {
  values <- as.matrix(rows[model$features])
  score <- rep(model$start, nrow(values))
  for (tree in model$trees) {
    node <- rep(1L, nrow(values))
    repeat {
      inner <- which(tree$feature[node] >= 0)
      if (!length(inner)) break
      at <- node[inner]
      value <- values[cbind(inner, tree$feature[at] + 1L)]
      branch <- ifelse(is.na(value), tree$missing[at], ifelse(value < tree$split[at], tree$left[at], tree$right[at]))
      node[inner] <- branch + 1L
    }
    score <- score + tree$value[node]
  }
  1 / (1 + exp(-score))
}

# What a threshold does: counts, and the rates made of them.
at_threshold <- function(probability, malignant, threshold) {
  called <- probability >= threshold
  positives <- sum(malignant == 1)
  negatives <- sum(malignant == 0)
  hit <- sum(called & malignant == 1)
  false_alarm <- sum(called & malignant == 0)
  list(
    hit = hit, missed = positives - hit, false_alarm = false_alarm, cleared = negatives - false_alarm,
    sensitivity = hit / positives, specificity = (negatives - false_alarm) / negatives,
    predictive = if (hit + false_alarm > 0) hit / (hit + false_alarm) else NA_real_
  )
}

# The ROC curve, from the strictest threshold to the laxest.
roc <- function(probability, malignant) {
  thresholds <- c(Inf, sort(unique(probability), decreasing = TRUE))
  data.frame(
    false_alarms = vapply(thresholds, function(t) mean(probability[malignant == 0] >= t), 0),
    sensitivity = vapply(thresholds, function(t) mean(probability[malignant == 1] >= t), 0)
  )
}

# The area under the ROC curve: how often a malignant sample is ranked above a benign one.
area <- function(probability, malignant) {
  positives <- sum(malignant == 1)
  negatives <- sum(malignant == 0)
  (sum(rank(probability)[malignant == 1]) - positives * (positives + 1) / 2) / (positives * negatives)
}
