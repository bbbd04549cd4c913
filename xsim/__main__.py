"""`python -m xsim` is the same as the command `xsim`."""

from xsim.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
