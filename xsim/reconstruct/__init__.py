"""From a measurement to what it tells of the specimen: one algorithm per file, blind to the truth."""
