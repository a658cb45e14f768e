"""The queue before a full app: places in it are leases, kept alive by the page that waits, and served in the order in which they came."""
