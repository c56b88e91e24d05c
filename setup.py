"""Package recbole-mwuf; the properties folder travels inside the package."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "recbole_mwuf/__init__.py").read_text())[1]

EXPORT = ["onnx", "onnxruntime", "onnxscript"]

setup(
    name="recbole-mwuf",
    version=VERSION,
    description="Cold-start warm-up of new items for RecBole: MWUF and its rivals",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.9",
    packages=[
        *find_packages(include=["recbole_mwuf*", "dataset_converters*"]),
        "recbole_mwuf.properties",
    ],
    package_dir={"recbole_mwuf.properties": "properties"},
    package_data={"recbole_mwuf.properties": ["*.yaml", "*/*.yaml"]},
    install_requires=[
        "recbole>=1.2.1,<1.3",
        "torch>=2.0",
        "numpy",
        "pandas",
        "scipy",
        "polars>=1.31,<3",
        "pyyaml",
        "tqdm",
    ],
    extras_require={
        "export": EXPORT,
        "test": ["pytest", "hypothesis", "ruff", "mypy", "setuptools>=70.1", *EXPORT],
    },
    entry_points={"console_scripts": ["recbole-mwuf=recbole_mwuf.cli:main"]},
)
