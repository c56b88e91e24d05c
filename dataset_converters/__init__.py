"""Published MovieLens, Taobao and CIKM2019 files to RecBole atomic files.

Run ``python -m dataset_converters --help``, or call :func:`convert`. Stands alone: it imports
neither RecBole nor torch nor ``recbole_mwuf``.
"""

from dataset_converters.errors import ConversionError
from dataset_converters.pipeline import Options, convert

__all__ = ["ConversionError", "Options", "convert"]
