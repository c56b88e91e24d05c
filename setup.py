"""Package recbole-mwuf; the properties folder travels inside the package."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "recbole_mwuf/__init__.py").read_text())[1]

EXPORT = ["onnx", "onnxruntime", "onnxscript"]
# RecBole asks for ray <= 2.6.3, which has no build for Python 3.12; nothing here needs ray. There
# RecBole is installed by itself (see README), and this is what else it imports.
NEEDED_BY_RECBOLE = [
    *("colorama==0.4.4", "colorlog==4.7.2", "plotly>=4.0", "psutil>=5.9", "scikit-learn>=0.23.2"),
    *("tabulate>=0.8.10", "tensorboard>=2.5", "texttable>=0.9", "thop>=0.1.1.post2207130030"),
]

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
    package_data={
        "recbole_mwuf.properties": ["*.yaml", "*/*.yaml", "*/*.hyper"],
        "recbole_mwuf": ["py.typed"],
        "recbole_mwuf.experiment.report": ["*.csv"],
    },
    install_requires=[
        'recbole>=1.2.1,<1.3; python_version < "3.12"',
        *(f'{need}; python_version >= "3.12"' for need in NEEDED_BY_RECBOLE),
        "torch>=2.4",
        "numpy",
        "pandas",
        "scipy",
        "polars>=1.31,<3",
        "pyyaml",
        "tqdm",
        # of the benchmark's report; tensorboard and recbole bring the last two anyway
        "matplotlib>=3.7",
        "markdown",
        "tabulate",
    ],
    extras_require={
        "boost": ["lightgbm>=4"],
        "export": EXPORT,
        "hyper": ["hyperopt>=0.3"],
        "test": [
            *(
                "hyperopt>=0.3",
                "pytest",
                "pytest-xdist",
                "hypothesis",
                "ruff",
                "mypy",
                "setuptools>=70.1",
            ),
            *EXPORT,
        ],
    },
    entry_points={
        "console_scripts": [
            "recbole-mwuf=recbole_mwuf.cli:main",
        ]
    },
)
