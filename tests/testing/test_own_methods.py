"""Our own methods pass the kit that guests' methods are to pass."""

from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.registry import get_method, own_methods
from recbole_mwuf.testing import MethodConformance

# two samples of a user make a task: in the kit's small sets no user has four
SETTINGS = {"MeLU": {"melu_min_samples": 2}}


def conformance(method: type, base: str, **settings: object) -> type:
    """A class of tests of a method on a base."""
    content = {"method": method, "base": base, "settings": settings}
    return type(f"Test{method.__name__}On{base}", (MethodConformance,), content)


for _method in (*map(get_method, own_methods()), NoWarmUp):
    for _base in ("WideDeep", "DIN"):
        _tests = conformance(_method, _base, **SETTINGS.get(_method.__name__, {}))
        globals()[_tests.__name__] = _tests
