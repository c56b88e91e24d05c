"""Markdown to one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from markdown import markdown

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1120px; margin: 2em auto;
  padding: 0 1em; }}
h1, h2, h3 {{ line-height: 1.25; margin: 1.6em 0 .5em; }}
h2 {{ border-bottom: 1px solid #999; padding-bottom: .2em; }}
h3 {{ font-size: 1em; }}
table {{ border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; }}
div.wide {{ overflow-x: auto; margin: .8em 0; }}
th, td {{ padding: 3px 6px; border-bottom: 1px solid #ddd; white-space: nowrap; }}
th {{ border-bottom: 1.5px solid #333; }}
img {{ max-width: 100%; }}
pre, code {{ font: 13px ui-monospace, monospace; }}
pre {{ background: #f3f3f3; padding: .6em; white-space: pre-wrap; }}
@media print {{ body {{ max-width: none; margin: 0; }} table {{ font-size: 8px; }}
  th, td {{ padding: 2px 3px; }} h2 {{ break-before: page; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def to_html(text: str, folder: Path) -> str:
    """Turn a report into one page.

    Args:
        text: Markdown; its first line is the title.
        folder: What the paths of its SVG images are relative to.
    """

    def embed(source: re.Match) -> str:
        content = base64.b64encode((folder / source[1]).read_bytes()).decode()
        return f'src="data:image/svg+xml;base64,{content}"'

    body = markdown(text, extensions=["tables", "fenced_code"])
    body = re.sub(r'src="([^":]+\.svg)"', embed, body)
    body = body.replace("<table>", '<div class="wide"><table>')
    body = body.replace("</table>", "</table></div>")
    return _PAGE.format(title=text.splitlines()[0].lstrip("# "), body=body)
