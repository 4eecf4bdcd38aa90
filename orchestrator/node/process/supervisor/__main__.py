"""Script entry: ``python -I -S <this directory> --directory DIR``."""

# pathlib would cost a megabyte of a process that is to be small:
# ruff: noqa: PTH100, PTH120

import importlib
import os
import sys

if __name__ == "__main__":
    # The parent of this directory goes last: its modules must not shadow the standard library's.
    sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.exit(importlib.import_module("supervisor.starting").main(sys.argv[1:]))
