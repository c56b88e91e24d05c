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
from recbole_mwuf.evaluator.diagnosis import diagnose
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
        usage = f"usage: {options.prog} {' '.join(options.arguments)} [--key=value ...]"
        print(paragraph(usage), _explain(config), sep="\n\n")
    else:
        result = execute(config)
        print(result.table())
        if found := diagnose(vars(result)):
            where, *reasons = found
            print("", paragraph(where), *(paragraph(f"- {reason}") for reason in reasons), sep="\n")
    return 0


def _explain(config: Config) -> str:
    """The settings of a run's model and base, and those of every run."""
    base: type = config.base_class
    kinds, defaults = recbole_settings(base), config.internal_config_dict
    parts, shown = [], set(dataset_arguments)
    for name in dict.fromkeys([config.model, config.base]):
        in_recbole = [n for n in _named_by_recbole(name) if n in kinds]
        of_recbole = {n: Setting(defaults[n], kinds[n].kind, "RecBole's.") for n in in_recbole}
        own = {**of_recbole, **settings_of(name)}
        about = paragraph(f"{name}: {_first_sentence(get_model(name))}")
        parts += [about, explain(own) or "  (no settings of its own)", ""]
        shown |= set(own)
    general = read_settings("overall")
    parts += ["Every run:", explain(general), ""]
    shown |= set(general)
    others = [name for name in kinds if name in defaults and name not in shown]
    parts += [paragraph(" ".join([_RECBOLE, *(as_argument(n, defaults[n]) for n in others)]))]
    return "\n".join(parts)


def _named_by_recbole(name: str) -> list[str]:
    """The settings in RecBole's own file of defaults for a model."""
    file = Path(recbole.__file__).parent / "properties" / "model" / f"{name}.yaml"
    return list(yaml.safe_load(file.read_text(encoding="utf-8"))) if file.is_file() else []


def _first_sentence(model: type) -> str:
    words = " ".join((inspect.getdoc(model) or "").split())
    return words.partition(". ")[0].removesuffix(".") + "."
