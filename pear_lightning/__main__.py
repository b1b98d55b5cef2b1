"""``python -m pear_lightning`` is the command ``pear-lightning``."""

from pear_lightning.cli import run

if __name__ == "__main__":
    run()
