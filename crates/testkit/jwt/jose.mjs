// npm's `jose`. `mint` reads {secret, kid, claims} from stdin and prints a link; `verify` reads {secret, token} and
// prints the claims. Exit 3: the library is not installed.

import { readFileSync } from 'node:fs';

const jose = await import('jose').catch(() => process.exit(3));
const asked = JSON.parse(readFileSync(0, 'utf8'));
const secret = jose.base64url.decode(asked.secret);

if (process.argv[2] === 'mint') {
    const header = { alg: 'HS256', typ: 'JWT', kid: asked.kid };
    process.stdout.write(await new jose.SignJWT(asked.claims).setProtectedHeader(header).sign(secret));
} else {
    const { payload } = await jose.jwtVerify(asked.token, secret, { algorithms: ['HS256'] });
    process.stdout.write(JSON.stringify(payload));
}
