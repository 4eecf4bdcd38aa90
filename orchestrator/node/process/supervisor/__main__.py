"""Script entry: ``python -I -S <this directory> --directory DIR``."""

# ruff: noqa: PTH - pathlib costs a megabyte of a process that is to be small

import importlib
import os
import sys

if __name__ == "__main__":
    # The parent of this directory goes last: its modules must not shadow the standard library's.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.exit(importlib.import_module("supervisor.service").main(sys.argv[1:]))
