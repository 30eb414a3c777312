r"""HTML pages for people: one self-contained file from a template, without script and without anything from outside.

Text of others is made safe twice: what is invisible or reorders text appears as `\u{XXXX}`, as on a screen, and
then Jinja escapes it for HTML. Nothing in a template is marked safe, and a name that a template misspells is an
error, never an empty cell.
"""

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from custody.bitcoin.amount import format_btc
from custody.documents.display import escape

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Of every page: no script, no picture, no font, no frame, no connection; only the style within it."""


def render(template: str, context: Mapping[str, object]) -> bytes:
    """Return the page that a template of this package makes, in UTF-8."""
    environment = Environment(
        loader=PackageLoader("custody_cli", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({"btc": btc, "grouped": grouped})
    return environment.get_template(template).render(context, csp=CONTENT_SECURITY_POLICY).encode()


def btc(value: int) -> str:
    """Return satoshis as bitcoin with all decimals and commas: `1,234.50000000`."""
    text = format_btc(abs(value))
    whole, fraction = text.split(".")
    return f"{'-' if value < 0 else ''}{int(whole):,}.{fraction}"


def grouped(value: int) -> str:
    """Return a whole number with commas."""
    return f"{value:,}"


def _visible(value: object) -> object:
    """Write invisible characters of a text out; markup that a macro made is left alone."""
    return escape(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
