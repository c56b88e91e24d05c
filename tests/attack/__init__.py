"""An attack on everything that takes input: at least a thousand cases, each with a verdict.

``python -m tests.attack`` runs it; ``--write`` writes the table of docs/reliability.md; ``--rounds
10`` tries ten times as many random cases. The tests run it once.
"""
