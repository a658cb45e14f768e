shinyServer(function(input, output, session) {})
