"""``python -m tlsmon``."""

from tlsmon.cli.app import main

if __name__ == "__main__":
    main()
