"""`python -m equalinfo.cli`: the `equalinfo` command where the package is not installed."""

import sys

from equalinfo.cli import main

sys.exit(main())
