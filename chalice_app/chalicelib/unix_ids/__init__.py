"""Numbers of users and groups on the file system, recorded so that no two owners share one."""
