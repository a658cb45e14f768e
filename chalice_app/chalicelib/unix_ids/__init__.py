"""The numbers of users and groups on the file system: who has which, so that no two have the same."""
