"""Which ``shiny-server.conf`` holds, and how another one takes its place."""
