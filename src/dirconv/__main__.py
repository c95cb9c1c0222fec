"""`python -m dirconv` is `dirconv`."""

import sys

from dirconv.cli import main

sys.exit(main())
