"""Cold-start warm-up of new items for RecBole."""

__version__ = "0.1.0"
