# Trains the model that app.R shows, on the Wisconsin breast cancer data (UCI; in Debian's r-cran-mlbench) with gradient boosting
# (r-cran-gbm). Writes model.json, test.csv and tuning.csv.
#
#   sheen run /breast-cancer train.R --to data/breast-cancer/      on Sheen
#   SHEEN_OUTPUT=data Rscript train.R                              anywhere
#
# SEED sets another split of the data.
for (package in c("gbm", "mlbench", "jsonlite")) {
  if (!requireNamespace(package, quietly = TRUE)) {
    stop("the R package ", package, " is not installed; on Debian: apt-get install r-cran-", package, call. = FALSE)
  }
}

source(file.path("R", "model.R"), local = TRUE)

seed <- as.integer(Sys.getenv("SEED", "20261120"))
output <- Sys.getenv("SHEEN_OUTPUT", "data")
dir.create(output, showWarnings = FALSE, recursive = TRUE)
RNGversion("4.0.0")
set.seed(seed)

folds <- 5L
repeats <- 3L
grid <- expand.grid(depth = c(1L, 3L, 5L), shrinkage = c(0.05, 0.1))
trees <- c(50L, 100L, 150L, 200L)

# The data: nine findings of a cytologist on each sample, from 1 (normal) to 10; one patient may have several samples.
data("BreastCancer", package = "mlbench", envir = environment())
features <- setdiff(names(BreastCancer), c("Id", "Class"))
samples <- BreastCancer
samples[features] <- lapply(samples[features], function(column) as.numeric(as.character(column)))
samples$malignant <- as.integer(samples$Class == "malignant")

# Puts patients, not samples, into groups, so that nobody is in two; patients with a malignant sample are spread evenly.
grouped <- function(rows, groups) {
  patients <- tapply(rows$malignant, rows$Id, max)
  group <- integer(length(patients))
  for (class in unique(patients)) {
    of_class <- which(patients == class)
    group[of_class] <- sample(rep_len(seq_len(groups), length(of_class)))
  }
  unname(group[match(rows$Id, names(patients))])
}

boosted <- function(rows, depth, shrinkage, n_trees) {
  gbm::gbm.fit(
    x = rows[features], y = rows$malignant, distribution = "bernoulli", n.trees = n_trees, interaction.depth = depth,
    shrinkage = shrinkage, n.minobsinnode = 5, bag.fraction = 0.6, verbose = FALSE, keep.data = FALSE
  )
}

part <- grouped(samples, 10L)
training <- samples[part > 3L, ]
testing <- samples[part <= 3L, ]
cat(sprintf("%d samples to train with, %d held out\n", nrow(training), nrow(testing)))

# Repeated cross-validation.
scores <- list()
for (round in seq_len(repeats)) {
  fold <- grouped(training, folds)
  for (held in seq_len(folds)) {
    learn <- training[fold != held, ]
    check <- training[fold == held, ]
    for (row in seq_len(nrow(grid))) {
      model <- boosted(learn, grid$depth[row], grid$shrinkage[row], max(trees))
      for (n in trees) {
        probability <- predict(model, check[features], n.trees = n, type = "response")
        scores[[length(scores) + 1L]] <- data.frame(grid[row, ], trees = n, auc = area(probability, check$malignant))
      }
    }
  }
}
scores <- do.call(rbind, scores)
by <- list(depth = scores$depth, shrinkage = scores$shrinkage, trees = scores$trees)
tuning <- aggregate(list(auc = scores$auc), by, mean)
tuning$sd <- aggregate(list(sd = scores$auc), by, sd)$sd
tuning <- tuning[order(-tuning$auc), ]
cat(sprintf("\nROC AUC in %d-fold cross-validation, %d times:\n", folds, repeats))
print(format(tuning, digits = 4), row.names = FALSE)

best <- tuning[1L, ]
model <- boosted(training, best$depth, best$shrinkage, best$trees)
testing$probability <- predict(model, testing[features], n.trees = best$trees, type = "response")
held_out <- area(testing$probability, testing$malignant)
cat(sprintf("\nbest: depth %d, shrinkage %g, %d trees\n", best$depth, best$shrinkage, best$trees))
cat(sprintf("ROC AUC on the held-out samples: %.4f\n", held_out))

# The model as plain numbers, so that whoever predicts needs no package: see R/model.R.
plain_tree <- function(number) {
  tree <- gbm::pretty.gbm.tree(model, i.tree = number)
  list(
    feature = tree$SplitVar, split = tree$SplitCodePred, left = tree$LeftNode, right = tree$RightNode,
    missing = tree$MissingNode, value = tree$Prediction
  )
}
influence <- gbm::relative.influence(model, n.trees = best$trees)
writing <- function(name, write) { # beside, then renamed: nobody reads half of it
  path <- file.path(output, name)
  write(paste0(path, ".new"))
  if (!file.rename(paste0(path, ".new"), path)) stop("cannot write ", path, call. = FALSE)
}
writing("tuning.csv", function(path) write.csv(tuning, path, row.names = FALSE))
writing("test.csv", function(path) write.csv(testing[c("Id", features, "malignant")], path, row.names = FALSE))
writing("model.json", function(path) {
  document <- list(
    features = features,
    start = model$initF,
    trees = lapply(seq_len(best$trees), plain_tree),
    influence = as.list(influence / sum(influence)),
    auc = held_out,
    cross_validated = list(auc = best$auc, sd = best$sd, folds = folds, repeats = repeats),
    parameters = list(depth = best$depth, shrinkage = best$shrinkage, trees = best$trees),
    trained_at = format(Sys.time(), "%Y-%m-%dT%H:%M:%SZ", tz = "UTC"),
    samples = nrow(training)
  )
  jsonlite::write_json(document, path, auto_unbox = TRUE, digits = 8)
})
cat("wrote model.json, test.csv and tuning.csv\n")
