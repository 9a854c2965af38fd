"""``python -m fdnlearn``: the command, where no script of it is on the path."""

from fdnlearn.cli.main import main

if __name__ == "__main__":
    main()
