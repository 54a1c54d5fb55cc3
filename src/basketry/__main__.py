"""`python -m basketry`, and so `torchrun -m basketry`: the command line."""

from basketry.cli.main import main

if __name__ == "__main__":
    main()
