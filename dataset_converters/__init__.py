"""Published MovieLens, Taobao and CIKM2019 files to RecBole atomic files.

Run ``python -m dataset_converters --help``, or call :func:`convert`. Stands alone: it imports
neither RecBole nor torch nor ``recbole_mwuf``.
"""

# Nothing is imported here: ``python -m`` runs this file before it can catch a Ctrl-C.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataset_converters.errors import ConversionError
    from dataset_converters.pipeline import Options, convert

__all__ = ["ConversionError", "Options", "convert"]


def __getattr__(name: str) -> object:
    """Import on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dataset_converters import pipeline

    return getattr(pipeline, name)
