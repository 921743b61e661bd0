"""PyPI's `PyJWT`. `mint` reads {secret, kid, claims} from stdin and prints a link; `verify` reads {secret, token} and
prints the claims. Exit 3: the library is not installed."""

import base64
import json
import sys

try:
    import jwt
except ImportError:
    sys.exit(3)

asked = json.load(sys.stdin)
secret = base64.urlsafe_b64decode(asked["secret"] + "=" * (-len(asked["secret"]) % 4))

if sys.argv[1] == "mint":
    sys.stdout.write(jwt.encode(asked["claims"], secret, algorithm="HS256", headers={"kid": asked["kid"]}))
else:
    json.dump(jwt.decode(asked["token"], secret, algorithms=["HS256"]), sys.stdout)
