"""Lets worker processes import the fake instrument by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
