"""Admission and conversion webhooks that a test answers itself."""
