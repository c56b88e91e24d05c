"""Importing a guest registers it: pytest must not look for doctests here."""

collect_ignore_glob = ["*.py"]
