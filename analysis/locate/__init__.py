"""Finding the smallest piece of a model that a backend gets wrong: any command, any format, exact on branches."""

from subcut.analysis.locate.command import Answer, Backend, Command, InProcess
from subcut.analysis.locate.judge import Outcome, Tolerance
from subcut.analysis.locate.locating import Certificate, Located, Settings, locate
from subcut.analysis.locate.reference import Source
from subcut.analysis.locate.state import State

__all__ = [
    "Answer",
    "Backend",
    "Certificate",
    "Command",
    "InProcess",
    "Located",
    "Outcome",
    "Settings",
    "Source",
    "State",
    "Tolerance",
    "locate",
]
