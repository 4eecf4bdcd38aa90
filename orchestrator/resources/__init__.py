"""Kinds, schemas, defaults, validation, patches and printing: pure functions over API objects."""
