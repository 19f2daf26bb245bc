"""Fixtures that many tests share, and fixed seeds for all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

# The same examples in every run: a failure here is a failure everywhere.
settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("fixed")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261123)
