from __future__ import annotations

import subprocess
import sys


def test_importing_lookalike_loads_numpy_and_nothing_else_third_party() -> None:
    script = (
        "import sys, sysconfig\n"
        "before = set(sys.modules)\n"
        "import lookalike\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(n for n in new if n not in sys.stdlib_module_names))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert set(shown.stdout.split()) - {"_distutils_hack"} <= {"lookalike", "numpy"}
