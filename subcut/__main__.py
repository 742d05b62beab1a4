"""`python -m subcut`: the command where its script is not on the path."""

from subcut.compiler.cli.main import entry

if __name__ == "__main__":
    entry()
