"""Names of guests: registered in Python, or by the entry points of their packages."""

from __future__ import annotations

import ast
import logging
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest
from recbole.model.context_aware_recommender import FM

from recbole_mwuf import registry
from recbole_mwuf.config import Config
from recbole_mwuf.errors import UserError
from recbole_mwuf.experiment.keys import row_key
from recbole_mwuf.files import plain_values
from recbole_mwuf.model.warm_up.method import WarmUpMethod
from recbole_mwuf.model.warm_up.plain import NoWarmUp
from recbole_mwuf.registry import (
    BASES,
    METHODS,
    get_base,
    get_method,
    get_model,
    import_modules,
    register_base,
    register_method,
    registered_modules,
    settings_of,
    warm_up_methods,
)
from recbole_mwuf.settings import Setting


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    """What a test registers or installs is gone after it."""
    for guests in registry._guests.values():
        monkeypatch.setattr(guests, "registered", {})
        monkeypatch.setattr(guests, "_installed", {}, raising=False)
        monkeypatch.setattr(guests, "_loaded", {})
    monkeypatch.setattr(registry, "_not_imported", [])
    registry._loads.cache_clear()
    yield
    registry._loads.cache_clear()


@pytest.fixture
def install(monkeypatch):
    """Offers classes as an installed package would."""

    module = ModuleType("a_package")
    monkeypatch.setitem(sys.modules, "a_package", module)

    def call(group: str, **classes: type) -> None:
        for name, model in classes.items():
            model.__module__, model.__qualname__ = "a_package", name
            setattr(module, name, model)
            point = EntryPoint(name, f"a_package:{name}", group)
            registry._guests[group]._installed[name] = [point]

    return call


def method(name: str = "Guest", **content: object) -> type[WarmUpMethod]:
    """A method as a module would define it."""
    return type(name, (WarmUpMethod,), {"__module__": "somewhere", "__qualname__": name, **content})


def test_decorators_give_the_class_back_and_make_it_known():
    @register_method
    class Guest(WarmUpMethod):
        settings = {"guest_k": Setting(3, "int >= 1", "A number.")}

    @register_base
    class GuestBase(FM):
        pass

    assert get_method("Guest") is get_model("Guest") is Guest
    assert get_base("GuestBase") is get_model("GuestBase") is GuestBase
    assert get_method("GuestBase") is NoWarmUp
    assert "Guest" in warm_up_methods() and "GuestBase" in registry.known_bases()
    assert settings_of("Guest")["guest_k"].default == 3
    config = Config("Guest", base="GuestBase", arguments=["--guest_k=5"])
    assert (config["guest_k"], config.base_class) == (5, GuestBase)
    assert registered_modules() == [__name__]


def test_suggestions_name_guests():
    register_method(method("NearestNeighbours"))
    register_base(type("GatedNetwork", (FM,), {}))
    with pytest.raises(UserError, match="Did you mean NearestNeighbours"):
        get_model("NearestNeighbour")
    with pytest.raises(UserError, match="Did you mean GatedNetwork"):
        Config("MWUF", base="GatedNetwrok")
    with pytest.raises(UserError, match=r"Known are .*GatedNetwork.*NearestNeighbours"):
        get_model("quite-another")


@pytest.mark.parametrize("name", ["MWUF", "GRU4Rec", "WideDeep", "BPR"])
def test_names_that_are_taken(name):
    """Of this package's and of RecBole's models, for methods and bases alike."""
    owner = "recbole-mwuf" if name in ("MWUF", "GRU4Rec") else "RecBole"
    with pytest.raises(UserError, match=f"{name} cannot be registered: a model of {owner} has"):
        register_method(method(name))
    with pytest.raises(UserError, match=f"{name} cannot be registered"):
        register_base(type(name, (FM,), {}))


def test_two_guests_of_one_name():
    register_method(method())
    with pytest.raises(UserError, match="cannot be registered: somewhere:Guest has that name"):
        register_method(method(__module__="elsewhere"))
    with pytest.raises(UserError, match="somewhere:Guest has that name"):
        register_base(type("Guest", (FM,), {}))


def test_a_cell_of_a_notebook_may_define_it_anew():
    """Also when a new process reads the script under its other name."""
    first, second = method(__module__="__main__"), method(__module__="__main__")
    register_method(first)
    assert register_method(second) is get_method("Guest") is second
    third = register_method(method(__module__="__mp_main__"))
    assert get_method("Guest") is third
    assert registered_modules() == []


@pytest.mark.parametrize("wrong", [FM, "Guest", WarmUpMethod.__init__, None])
def test_what_is_no_method(wrong):
    with pytest.raises(UserError, match="cannot be registered: it is no WarmUpMethod"):
        register_method(wrong)


@pytest.mark.parametrize("wrong", [NoWarmUp, int, 3])
def test_what_is_no_base(wrong):
    with pytest.raises(UserError, match="cannot be registered: it is no ContextRecommender"):
        register_base(wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["guest_k"], "must map names to Setting"),
        ({"guest_k": 3}, "guest_k is 3, but must be Setting"),
        ({"guest_k": Setting(0, "int >= 1", "x")}, "guest_k is 0, but must be int >= 1"),
        ({"guest_k": Setting(1, "whole number", "x")}, "no kind of setting: 'whole number'"),
        ({"learning_rate": Setting(0.1, "float > 0", "x")}, "a setting 'learning_rate' already"),
        ({"seed": Setting(1, "int", "x")}, "there is a setting 'seed' already"),
        ({"log_neurons": Setting(1, "int", "x")}, "there is a setting 'log_neurons' already"),
    ],
)
def test_settings_that_would_not_work(settings, message):
    with pytest.raises(UserError, match=rf"Guest\.settings.*{message}"):
        register_method(method(settings=settings))
    assert "Guest" not in warm_up_methods()


def test_a_base_may_have_other_defaults_but_no_setting_of_a_method():
    length = {"MAX_ITEM_LIST_LENGTH": Setting(7, "int >= 1", "Users of a history.")}
    register_base(type("Short", (FM,), {"settings": length}))
    assert Config("Short")["MAX_ITEM_LIST_LENGTH"] == 7
    with pytest.raises(UserError, match="a setting 'mwuf_variant' already"):
        register_base(type("Odd", (FM,), {"settings": {"mwuf_variant": Setting(1, "int", "x")}}))


def test_an_unknown_name_is_no_plain_base():
    """A checkpoint of a guest whose package is not installed must not be taken for one."""
    with pytest.raises(UserError, match="there is no model 'Guest'"):
        get_method("Guest")


# entry points


def test_an_installed_model_is_known(install):
    install(METHODS, Guest=method())
    install(BASES, GuestBase=type("GuestBase", (FM,), {}))
    assert get_method("Guest").__module__ == get_base("GuestBase").__module__ == "a_package"
    assert {"Guest", *registry.own_methods()} == set(warm_up_methods())


def test_its_own_module_may_register_it_as_well(install):
    guest = method()
    install(METHODS, Guest=guest)
    assert register_method(guest) is get_method("Guest") is guest
    with pytest.raises(UserError, match="a_package:Guest has that name"):
        register_method(method(__module__="__main__"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"Guest": 3}, "it is no WarmUpMethod"),
        ({"Guest": FM}, "it is no WarmUpMethod"),
        ({"Guest": method("Other")}, "is to have the name of its class, Other"),
        ({"Guest": method(settings={"guest_k": 3})}, "guest_k is 3, but must be Setting"),
    ],
)
def test_an_entry_point_that_offers_something_else(monkeypatch, content, message):
    module = ModuleType("a_package")
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, "a_package", module)
    point = EntryPoint("Guest", "a_package:Guest", METHODS)
    monkeypatch.setattr(registry._guests[METHODS], "_installed", {"Guest": [point]})
    with pytest.raises(UserError, match=message):
        Config("Guest")


def test_a_broken_package_is_its_own_fault_only(monkeypatch, settings, caplog):
    """Runs of others go on; a run of it says what is wrong."""
    points = {"Broken": [EntryPoint("Broken", "no_such_package:Broken", METHODS)]}
    monkeypatch.setattr(registry._guests[METHODS], "_installed", points)
    with pytest.raises(UserError, match="no_such_package:Broken cannot be loaded: ModuleNotFound"):
        Config("Broken")
    config = Config("MWUF", "tiny", config_dict=settings)
    with caplog.at_level(logging.WARNING):
        assert row_key(plain_values(config.final_config_dict)).startswith("MWUF-WideDeep-")
    assert "left out: Broken" in caplog.text


def test_two_packages_that_offer_one_name(monkeypatch):
    points = [EntryPoint("Guest", f"{module}:Guest", METHODS) for module in ("one", "two")]
    monkeypatch.setattr(registry._guests[METHODS], "_installed", {"Guest": points})
    with pytest.raises(UserError, match="two installed models, one:Guest and two:Guest"):
        get_method("Guest")


def test_a_module_that_another_process_cannot_import():
    import_modules(["no_such_module"])
    with pytest.raises(UserError, match=r"no model 'Guest'.*No module named 'no_such_module'"):
        get_model("Guest")


def test_no_module_names_a_method():
    """But the one that it is in, and the registry: else a guest's would be treated otherwise."""
    package = Path(registry.__file__).parent
    homes = {f"{module.replace('.', '/')}.py" for module in registry._OWN[METHODS].values()}
    own = set(registry.own_methods())
    for file in package.rglob("*.py"):
        if str(file.relative_to(package.parent)) in {*homes, "recbole_mwuf/registry.py"}:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = getattr(node, "id", getattr(node, "value", None))
            assert not (isinstance(named, str) and named in own), f"{file}: {named}"
