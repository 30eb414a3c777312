"""QR codes as one web page that animates them, without a network: nothing is loaded and nothing can be.

The page holds the modules of each frame in hex and a few lines of script that paint them; its content policy
forbids every other source. What a person wrote (the file's name) is escaped.
"""

import html
import json
from collections.abc import Sequence

from custody.documents.display import escape
from custody_hardware.qr_matrix import Matrix

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ background: #fff; color: #000; font: 16px sans-serif; margin: 1em; text-align: center; }}
canvas {{ width: min(92vw, 75vh); image-rendering: pixelated; }}
button {{ font: inherit; min-width: 3em; }}
code {{ overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
<canvas id="code"></canvas>
<p><button id="slower">slower</button> <button id="pause">pause</button> <button id="faster">faster</button>
<span id="where"></span></p>
<p>SHA-256 of the content<br><code>{digest}</code></p>
<noscript><p>This page needs its own script to show the frames; it loads nothing.</p></noscript>
<script>
const frames = {frames}, border = 4;
let rate = {rate}, at = 0, running = true;
const canvas = document.getElementById("code"), where = document.getElementById("where");
function paint() {{
  const rows = frames[at].split(" "), side = rows.length + 2 * border, pen = canvas.getContext("2d");
  canvas.width = canvas.height = side;
  pen.fillStyle = "#fff"; pen.fillRect(0, 0, side, side); pen.fillStyle = "#000";
  rows.forEach((row, y) => {{
    const bits = [...row].map(digit => parseInt(digit, 16).toString(2).padStart(4, "0")).join("");
    for (let x = 0; x < rows.length; x++) if (bits[x] === "1") pen.fillRect(x + border, y + border, 1, 1);
  }});
  where.textContent = "frame " + (at + 1) + " of " + frames.length + ", " + rate + " a second";
}}
function step() {{
  if (running) {{ at = (at + 1) % frames.length; paint(); }}
  setTimeout(step, 1000 / rate);
}}
document.getElementById("slower").onclick = () => {{ rate = Math.max(1, rate - 1); paint(); }};
document.getElementById("faster").onclick = () => {{ rate = Math.min(30, rate + 1); paint(); }};
document.getElementById("pause").onclick = () => {{ running = !running; }};
paint(); setTimeout(step, 1000 / rate);
</script>
</body>
</html>
"""


def page(matrices: Sequence[Matrix], *, title: str, digest: str, frames_per_second: int) -> str:
    """Return the page of all frames; `digest` is what the reader compares with the sender."""
    frames = [" ".join(_hex(row) for row in matrix.rows) for matrix in matrices]
    return _PAGE.format(
        title=html.escape(escape(title)), digest=html.escape(digest), frames=json.dumps(frames), rate=frames_per_second
    )


def _hex(row: bytes) -> str:
    """Return a row of modules in hex, the first module in the highest bit, filled up with light ones."""
    width = -(-len(row) // 4) * 4
    bits = "".join("1" if module else "0" for module in row).ljust(width, "0")
    return f"{int(bits, 2):0{width // 4}x}"
