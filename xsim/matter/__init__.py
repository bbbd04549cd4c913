"""Element tables, materials, near edges and emission lines."""
