"""Figures that must not move unnoticed: those of a few small runs, and of two checkouts.

``python -m tests.figures`` writes the small runs' figures anew (``small_runs.json``);
``python -m tests.figures --compare A B`` runs two checkouts and compares them bit for bit.
"""
