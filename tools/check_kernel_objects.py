"""Check that no code for a wide CPU can leak out of a kernel level's object file.

A level's file is compiled for instructions that other CPUs lack. If it defines a weak symbol
(an inline function, a template, something of the STL), the linker keeps one copy for the whole
module, perhaps this one, and the baseline crashes on an older CPU. So each level exports its
table and nothing else, and defines or needs nothing weak.

    python tools/check_kernel_objects.py [OBJECT ...]

Without arguments: every level's object under build/. Exit status 0 when all is well, 1 when a
symbol could leak, 2 when there is nothing to check.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WEAK = "WwVvu"  # weak, weak object, unique: the linker merges them across objects
UNDEFINED = "U"


def built_objects(root: Path) -> list[Path]:
    """Return the object files of all levels in all build folders of a checkout."""
    found = root.glob("build/*/CMakeFiles/level_*.dir/**/*.o")
    return sorted(path for path in found if path.is_file())


def symbols(path: Path) -> list[tuple[str, str]]:
    """Return (name, type) of each symbol, with the type letters of nm."""
    nm = os.environ.get("NM") or shutil.which("nm")
    if nm is None:
        raise FileNotFoundError("nm is not installed (binutils has it); set NM to its path")
    shown = subprocess.run([nm, "-P", str(path)], capture_output=True, text=True, check=True).stdout
    return [(fields[0], fields[1]) for fields in map(str.split, shown.splitlines()) if fields[1:]]


def complaints(path: Path) -> list[str]:
    """Return what is wrong with one object file, in sentences; nothing if all is well."""
    found = symbols(path)
    weak = [name for name, kind in found if kind in WEAK]
    exported = [
        name for name, kind in found if kind.isupper() and kind not in WEAK and kind != UNDEFINED
    ]
    wrong = [f"{path}: {name} is weak: make it a static function, or keep it out" for name in weak]
    if len(exported) != 1:
        wrong.append(
            f"{path}: exports {len(exported)} symbols instead of its table alone: "
            f"{', '.join(exported) or 'none'}"
        )
    return wrong


def main(arguments: list[str]) -> int:
    """Check the named object files, or all that were built; return the exit status."""
    objects = [Path(argument) for argument in arguments] or built_objects(ROOT)
    if not objects:
        print("no object of a kernel level under build/: run make test first", file=sys.stderr)
        return 2
    try:
        wrong = [sentence for path in objects for sentence in complaints(path)]
    except (OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 2
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if not wrong:
        print(f"{len(objects)} kernel objects: one exported symbol each, none weak")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
