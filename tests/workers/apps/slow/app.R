cat("thinking\n")
Sys.sleep(3600)
