"""Fixtures that every test may ask for, and how hard properties are tried."""

import os

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
