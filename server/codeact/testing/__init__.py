"""Adapters to test frameworks."""
