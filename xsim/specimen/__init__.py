"""Shapes, populations, placement, layers, voxels, atoms and the specimen: geometry without pixels."""
