"""What Numba keeps of compiled functions between processes, and when that is out of date."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def drop_outdated(function: Any) -> None:
    """Let a function that Numba keeps be compiled anew where a file of this package has changed since.

    Numba looks at the function's own file only, and would go on with what it has made of others that it calls.
    """
    module = function.py_func.__module__.rpartition(".")[2]
    newest = max(source.stat().st_mtime_ns for source in Path(__file__).parent.glob("*.py"))
    for index in Path(function.stats.cache_path).glob(f"{module}.{function.py_func.__qualname__}-*.nbi"):
        if index.stat().st_mtime_ns < newest:
            index.unlink(missing_ok=True)
