"""One file per shape; each is discovered by its `kind`."""
