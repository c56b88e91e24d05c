"""The page stands alone."""

import base64
import re
from pathlib import Path

from recbole_mwuf.experiment.report.html import to_html

REPORT = r"""# Benchmark on tiny

| method | cold |
|:--|--:|
| MWUF | **.7000 ± .1000**\* |

![A figure](figures/a.svg)

```
python run_benchmark.py --preset all --embedding_init=1.0
```
"""


def test_one_file_without_network():
    Path("figures").mkdir()
    Path("figures/a.svg").write_text("<svg>é</svg>", encoding="utf-8")
    page = to_html(REPORT, Path())
    assert "<title>Benchmark on tiny</title>" in page
    assert "<strong>.7000 ± .1000</strong>*" in page
    assert "--preset all --embedding_init=1.0" in page
    assert not re.search(r"https?:|<script|<link|@import|url\(", page)
    (source,) = re.findall(r'src="(.*?)"', page)
    kind, content = source.split(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content).decode() == "<svg>é</svg>"
