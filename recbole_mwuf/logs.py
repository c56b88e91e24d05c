"""What a run tells: in words on the console, in full in its log file."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from colorama.ansitowin32 import StreamWrapper
from recbole.utils import init_logger, set_color

ONLY_IN_FILE = {"only_in_file": True}  # the `extra` of a line for the log file
_of_last_run: list[logging.Handler] = []


def start_logging(config: Any) -> None:
    """Give a run RecBole's console and log file, in place of those of the last run.

    All settings go to the log file, to the console as well with ``state=DEBUG``. An application
    that has set up logging keeps what it has, and RecBole adds nothing.

    Args:
        config: Uses ``state``, ``model``, ``dataset``; its notes are shown.
    """
    logger = logging.getLogger()
    for handler in _of_last_run:
        logger.removeHandler(handler)
        handler.close()
    _of_last_run.clear()
    if not logger.handlers:
        _set_up(logger, config)
    logger.info(config, extra=ONLY_IN_FILE)
    for note in config.notes:
        logger.warning(note)


def _set_up(logger: logging.Logger, config: Any) -> None:
    streams = sys.stdout, sys.stderr
    init_logger(config)
    if isinstance(streams[0], StreamWrapper):  # RecBole wraps them anew: after 250 runs too deep
        sys.stdout, sys.stderr = streams
    _of_last_run[:] = logger.handlers
    if config["state"].lower() != "debug":
        for handler in _of_last_run:
            if not isinstance(handler, logging.FileHandler):
                handler.addFilter(_is_for_the_console)


def discard_log() -> None:
    """Remove the log file of a run that has not begun, with folders that are empty then."""
    for handler in _of_last_run:
        if isinstance(handler, logging.FileHandler):
            logging.getLogger().removeHandler(handler)
            handler.close()
            file = Path(handler.baseFilename)
            file.unlink(missing_ok=True)
            with suppress(OSError):  # other runs' logs are there
                file.parent.rmdir()
                file.parent.parent.rmdir()


def _is_for_the_console(record: logging.LogRecord) -> bool:
    return not getattr(record, "only_in_file", False)


def tell(head: str, text: str) -> None:
    """Log what a run is about to do, the first words in RecBole's blue."""
    logging.getLogger().info(f"{set_color(head, 'blue')} {text}")
