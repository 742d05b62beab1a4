"""Conversion of dump files: each tensor becomes a file, in a layout of choice, named as the vendor's tools do."""

from subcut.compiler.conversion.request import Failure, Outcome, Request
from subcut.compiler.conversion.work import FAILED, Source, convert, sources

__all__ = ["FAILED", "Failure", "Outcome", "Request", "Source", "convert", "sources"]
