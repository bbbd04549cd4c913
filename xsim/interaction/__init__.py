"""How a specimen changes a wave or gives off new photons: transmission, multislice, Born, fluorescence."""
