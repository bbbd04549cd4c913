"""Bodies, one file each: a raster of their thickness and an analytic form factor, under any orientation.

What a part displaces is taken off its host pixel by pixel, so a child must nowhere be thicker than what holds it.
Spheres, flat-faced bodies, voxels and shells are rastered exactly and obey this to round-off (1e-12 of their size);
ellipsoids integrate exactly along x and by the same nodes along y in every pixel that the outline does not cross,
cylinders are prisms that stray by 0.01 pixel: both may break it by 1e-3 of a thickness where child and host
share a surface within a pixel. Never rescale one raster of a nested pair. Balls of `atoms` overlap and add, so a
slab thinner than a few nanometres may hold more of them than its own height: hosts want thicker slabs.
"""
