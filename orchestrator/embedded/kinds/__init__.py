"""Kinds and objects as people name and write them, and kinds made of models."""
