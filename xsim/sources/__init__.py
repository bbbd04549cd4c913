"""X-ray sources: what arrives before any optic."""
