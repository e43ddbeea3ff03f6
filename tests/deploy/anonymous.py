"""Run a program as one without Google credentials does, but at once: Beam first retries for 30 s.

python anonymous.py main.py [ARGUMENT...]    or    python anonymous.py -m MODULE [ARGUMENT...]
"""

import runpy
import sys

from apache_beam.internal.gcp.auth import _Credentials

_Credentials._credentials_init = True  # with _credentials None: looked for, not found

if sys.argv[1] == "-m":
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
else:
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
