"""`python -m retinula`, which is what torchrun starts: the command `retinula`."""

import sys

from retinula.cli.entry import main

if __name__ == "__main__":
    sys.argv[0] = "retinula"  # for logs and messages, not the path of this file
    main()
