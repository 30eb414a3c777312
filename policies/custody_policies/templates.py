"""The policy templates that come with the program: each a YAML file, and its cases beside it.

A template is a beginning: copy it, change it, run its cases, adopt it. Nothing in the program
falls back to one.
"""

from importlib.resources import files

from custody.codes import Code
from custody.errors import InvalidInput

_NAMES = ("capped-500", "central-bank", "grant-disbursement", "mining-inflow", "small-fund")
_SCHEMA = "custody-policy-1.schema.json"


def template_names() -> tuple[str, ...]:
    """Return the names of the templates, in alphabetical order."""
    return _NAMES


def template(name: str) -> str:
    """Return a policy template as YAML text.

    Raises:
        InvalidInput: FILE_NOT_FOUND for an unknown name.
    """
    return _read(name, ".yaml")


def template_cases(name: str) -> str:
    """Return the cases of a template as YAML text.

    Raises:
        InvalidInput: FILE_NOT_FOUND for an unknown name.
    """
    return _read(name, ".cases.yaml")


def schema() -> str:
    """Return the JSON Schema (draft 2020-12) of a policy, as editors use it."""
    return files("custody_policies").joinpath(_SCHEMA).read_text(encoding="utf-8")


def _read(name: str, ending: str) -> str:
    if name not in _NAMES:
        raise InvalidInput(
            Code.FILE_NOT_FOUND,
            "there is no policy template of this name",
            advice=f"Name one of {', '.join(_NAMES)}.",
        )
    return files("custody_policies").joinpath(name + ending).read_text(encoding="utf-8")
