"""Nodes in the hands of a test."""
