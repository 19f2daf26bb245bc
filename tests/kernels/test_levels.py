from __future__ import annotations

import pytest

from lookalike import KernelLevelError, kernels


def test_scalar_is_always_available_and_the_strongest_level_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LOOKALIKE_KERNELS", raising=False)
    assert kernels.levels()[0] == "scalar"
    assert kernels.active() == kernels.available()[-1]


def test_a_level_is_forced_by_environment_and_by_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_KERNELS", "scalar")
    assert kernels.active() == "scalar"
    with kernels.use(kernels.available()[-1]):
        assert kernels.active() == kernels.available()[-1]
    assert kernels.active() == "scalar"


def test_an_unknown_level_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KernelLevelError, match="'sse9' is not one of scalar"), kernels.use("sse9"):
        pass
    monkeypatch.setenv("LOOKALIKE_KERNELS", "sse9")
    with pytest.raises(KernelLevelError, match="LOOKALIKE_KERNELS"):
        kernels.active()
