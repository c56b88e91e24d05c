"""What the online commands are tried on."""

from tests.online.conftest import arrive  # noqa: F401  (a fixture)
