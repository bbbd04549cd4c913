"""One file per way of placing a population; each is discovered by its `kind`."""
