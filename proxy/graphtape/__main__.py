"""`python -m graphtape`."""

from graphtape.cli import main

if __name__ == "__main__":
    main()
