"""How a version of each kind is built: one module each, beside those of :mod:`chalicelib.kinds`."""
