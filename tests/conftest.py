"""Fixtures that every test may ask for, and how hard properties are tried."""

import gc
import os
from collections.abc import Generator

import pytest
from hypothesis import settings

pytest_plugins = [
    "support.node",
    "support.ssh",
    "support.postgres",
    "support.databases",
    "support.electrum",
    "support.emulators",
    "support.interop",
    "support.browser",
]

# A landing must not hang on luck: CI draws the same examples each time, however slow. `make fuzz` looks further.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=2_000, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector away from what lives to the end: thousands of tests and all that they import.

    Looking through them again and again took a third of the time to collect them, and time from every test after.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
