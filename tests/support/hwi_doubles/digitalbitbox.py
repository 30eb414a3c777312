"""A Digital Bitbox: the driver finds it and wants a password, which is where it ends."""

from types import ModuleType

from support.hwi_doubles.coldcard import Hid
from support.hwi_doubles.core import Bench


def install(module: ModuleType, bench: Bench) -> None:
    """Plug the bench's Digital Bitboxes in."""
    module.hid = Hid(bench, "digitalbitbox")  # type: ignore[attr-defined]
