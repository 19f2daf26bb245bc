"""Fixtures that many tests share, fixed seeds for all of them, and what needs the system.

``@pytest.mark.system("nm", "binutils")`` marks a test that runs a command of a system
package. Where the command is missing the test is skipped, and the summary says so; with
``LOOKALIKE_REQUIRE_SYSTEM=1``, as in continuous integration, it fails.
"""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from hypothesis import settings

# The same examples in every run: a failure here is a failure everywhere.
settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("fixed")

_WANTING = "needs the system package"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261123)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("system"):
        command, package = marker.args
        if shutil.which(command) is None:
            reason = f"{_WANTING} {package}, for its command {command}"
            if os.environ.get("LOOKALIKE_REQUIRE_SYSTEM") == "1":
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.getreports("skipped")
    wanting = [str(report.longrepr) for report in skipped if _WANTING in str(report.longrepr)]
    if wanting:
        packages = sorted({text.partition(_WANTING)[2].split(",")[0].strip() for text in wanting})
        terminalreporter.write_line(
            f"{len(wanting)} tests were skipped for want of system packages: {', '.join(packages)}",
            yellow=True,
        )
