"""Stored quotes as files: a module for each format, and what sends them."""
