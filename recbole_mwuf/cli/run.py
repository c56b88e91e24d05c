"""``recbole-mwuf run``: one run, from settings to a phase table."""

from __future__ import annotations

import inspect
from argparse import Namespace
from pathlib import Path

import recbole
import yaml
from recbole.utils.argument_list import dataset_arguments

from recbole_mwuf.cli.explain import as_argument, explain, paragraph
from recbole_mwuf.compat import silence_recbole
from recbole_mwuf.config import Config
from recbole_mwuf.config.checks import recbole_settings
from recbole_mwuf.quick_start import execute
from recbole_mwuf.registry import get_model, settings_of
from recbole_mwuf.settings import Setting, read_settings

_RECBOLE = (
    "RecBole's own, with those of a data set, are explained at "
    "https://recbole.io/docs/user_guide/config_settings.html:"
)


def main(options: Namespace) -> int:
    """Do the run that ``--key=value`` arguments describe and print its table, or explain them."""
    silence_recbole()
    config = Config(arguments=options.arguments)
    if options.help:
        print(f"usage: {options.prog} {' '.join(options.arguments)} [--key=value ...]\n")
        print(_explain(config))
    else:
        print(execute(config).table())
    return 0


def _explain(config: Config) -> str:
    """The settings of a run's model and base, and those of every run."""
    parts, shown = [], set(dataset_arguments)
    for name in dict.fromkeys([config.model, config.base]):
        about = (inspect.getdoc(get_model(name)) or "").partition("\n")[0]
        own = {**_of_recbole(name, config), **settings_of(name)}
        parts += [paragraph(f"{name}: {about}"), explain(own) or "  (no settings of its own)", ""]
        shown |= set(own)
    general = read_settings("overall")
    parts += ["Every run:", explain(general), ""]
    shown |= set(general)
    defaults = config.internal_config_dict
    others = [name for name in recbole_settings() if name in defaults and name not in shown]
    parts += [paragraph(" ".join([_RECBOLE, *(as_argument(n, defaults[n]) for n in others)]))]
    return "\n".join(parts)


def _of_recbole(name: str, config: Config) -> dict[str, Setting]:
    """What RecBole's own file says of a model: the names; the defaults are those of a run."""
    kinds, defaults = recbole_settings(), config.internal_config_dict
    file = Path(recbole.__file__).parent / "properties" / "model" / f"{name}.yaml"
    names = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {
        n: Setting(defaults[n], kinds[n].kind if n in kinds else "", "RecBole's.") for n in names
    }
