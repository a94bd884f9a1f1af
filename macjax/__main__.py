"""`python -m macjax` does what the command `macjax` does."""

from macjax.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
