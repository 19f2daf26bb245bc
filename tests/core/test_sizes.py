from __future__ import annotations

import pytest

from lookalike.core.sizes import size_in_words


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (188_160_000, "188.2 MB"),
        (1.6e6, "1.6 MB"),
        (2e15, "2000.0 TB"),
    ],
)
def test_a_size_is_said_with_the_unit_that_fits_it(n_bytes: float, words: str) -> None:
    assert size_in_words(n_bytes) == words
