"""Metrics, splits and intervals: arrays and tables in, Metrics out; knows no model."""
