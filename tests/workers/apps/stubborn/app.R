# Ignores SIGINT and SIGTERM in the process that counts, and leaves a process in a session of its own behind.
system("setsid sleep 7321 &")
system("trap '' INT TERM; sleep 7322")
