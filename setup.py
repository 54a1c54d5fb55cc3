"""The compiled core is described by cffi; everything else stands in pyproject.toml."""

from setuptools import setup

setup(cffi_modules=["src/basketry/kernels/_build.py:ffi"])
