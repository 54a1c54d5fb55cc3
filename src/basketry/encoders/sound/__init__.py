"""Sounds in, unit vectors out: what was said through a recogniser and a text encoder, or how it sounds through its spectrum."""
