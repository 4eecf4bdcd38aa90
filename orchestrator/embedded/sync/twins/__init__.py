"""Twins of the asynchronous classes: made by ``python -m tests.project.twins``.

Each is in a module that is called as that of the class is.
"""
