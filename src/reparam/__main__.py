"""`python -m reparam` is the command `reparam`."""

from .cli import start

if __name__ == "__main__":
    start()
