"""Cold-start warm-up of new items for RecBole."""

import os

# At a batch of 256, torch's threads meet thousands of times a second. By default they wait for each
# other in a busy loop, which costs a factor of 6 as soon as another process wants a core; sleeping
# costs nothing measurable. OpenMP reads this when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
