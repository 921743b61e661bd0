"""Python: `link` or `upload_link` of the URL in the second argument; the keys come from LECTERN_KEYS."""

import sys

import lectern

sys.stdout.write(getattr(lectern, sys.argv[1])(sys.argv[2], viewer="s/42 é", expires_in=600))
