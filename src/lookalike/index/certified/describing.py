"""A plan in words: its levels, their memory, and what a query is expected to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lookalike.core.sizes import size_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["described"]


def described(
    arrays: Mapping[str, NDArray[Any]], plan: Mapping[str, Any], row_bytes: int
) -> list[str]:
    """Return lines that say what each level codes, holds, and is expected to leave.

    Parameters
    ----------
    arrays, plan
        Of codes.
    row_bytes : int
        Of a row as it is stored.
    """
    n, levels, shares = plan["n"], plan["levels"], plan["expected_shares"]
    is_rotated = plan.get("is_rotated", False)
    lines, read, left = [], 0.0, float(plan["expected_scanned"])
    for number, (level, share) in enumerate(zip(levels, shares, strict=True)):
        codes = arrays[f"level{number}"]
        read += left * codes.nbytes
        lines.append(
            f"{f'line {number}' if number else 'head'}: {_coded(level, is_rotated=is_rotated)}, "
            f"{size_in_words(codes.nbytes)}; read for {left:.2%} of the rows, leaves {share:.2%}"
        )
        left = share
    read += left * n * row_bytes
    if is_rotated:
        read += arrays["projection"].nbytes
    others = sum(array.nbytes for name, array in arrays.items() if not name.startswith("level"))
    lines += [
        f"projection, order, chunks: {size_in_words(others)}",
        f"scored: {left:.3%} of the rows, about {left * n:.0f}",
        (
            f"expected for k from 10 to 100: {size_in_words(read)} read a query, "
            f"{read / (n * row_bytes):.1%} of the rows' own bytes"
        ),
    ]
    for name, what in (("uncoded", "scored every time"), ("zeros", "all zeros: exactly 1")):
        if arrays[name].size:
            lines.append(f"without codes, {what}: {arrays[name].size} rows")
    return lines


def _coded(level: Mapping[str, Any], *, is_rotated: bool) -> str:
    if level["group_size"] > 1:
        return f"{level['dims']} sums of {level['group_size']} dimensions"
    if level["group_size"] == 1 or not is_rotated:
        return f"{level['dims']} dimensions as they are"
    return f"{level['dims']} rotated dimensions"
