"""Cold-start warm-up of new items for RecBole."""

__version__ = "0.1.0"


def register() -> None:
    """Make MWUF, MetaEmb, DropoutNet, MeLU and AFN resolvable by RecBole's own look-ups.

    Without this call nothing in RecBole changes.
    """
    from recbole_mwuf.integration import add_names  # torch and recbole only when needed

    add_names()
