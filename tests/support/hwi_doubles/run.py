"""The worker, with the devices of a bench at the end of HWI's drivers: `run.py FOLDER`.

Only this test program knows doubles. The worker's own code is the product's, unchanged.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

_TESTS = Path(__file__).resolve().parents[2]
sys.path[0] = str(_TESTS)
sys.path.append(str(_TESTS.parent / "hardware" / "custody_hardware"))

from hwi_worker import look, open_device, serve  # noqa: E402

from support.hwi_doubles.core import Bench  # noqa: E402

_DOUBLED = {"keepkey": "trezor"}
_real_driver = open_device.driver_module
_bench = Bench(Path(sys.argv[1]))


def _with_doubles(driver: str) -> ModuleType:
    module = _real_driver(driver)
    what = _bench.driver_trouble(driver)
    if what == "library":
        raise FileNotFoundError(2, "cannot find a suitable libusb-1.0")
    if what == "permission":
        raise OSError("open failed")
    if what == "garbage":
        sys.stdout.flush()
        raise SystemExit(3)
    double = importlib.import_module(f"support.hwi_doubles.{_DOUBLED.get(driver, driver)}")
    double.install(module, _bench)
    _bench.note_import(driver)
    return module


open_device.driver_module = look.driver_module = _with_doubles
serve.main()
