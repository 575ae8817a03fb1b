"""`python -m netcalc`."""

from netcalc.cli.app import main

if __name__ == "__main__":
    main()
