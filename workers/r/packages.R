# Installs the R packages that every worker has from a CRAN-like repository: Rscript packages.R URL [LIBRARY]
# Fails when one of them cannot be installed or loaded.
arguments <- commandArgs(trailingOnly = TRUE)
repository <- arguments[1]
library_folder <- if (length(arguments) > 1) arguments[2] else .Library.site[1]
wanted <- c("shiny", "Cairo", "rmarkdown", "DBI", "odbc")

options(repos = c(CRAN = repository), Ncpus = max(1L, parallel::detectCores(), na.rm = TRUE))
dir.create(library_folder, recursive = TRUE, showWarnings = FALSE)
.libPaths(library_folder)
available <- rownames(available.packages())
if (length(missing <- setdiff(wanted, available)) > 0) {
  stop(repository, " has no ", paste(missing, collapse = ", "), call. = FALSE)
}
install.packages(wanted, lib = library_folder)
for (package in wanted) {
  loadNamespace(package, lib.loc = c(library_folder, .Library))
}
