"""The reaper stops idle instances, and clears up after those that end by themselves."""
