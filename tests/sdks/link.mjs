// JavaScript: `link` or `upload_link` of the URL in the second argument; the keys come from LECTERN_KEYS.
import { link, uploadLink } from '../../sdk/javascript/lectern.js';

const [call, url] = process.argv.slice(2);
process.stdout.write(await { link, upload_link: uploadLink }[call](url, { viewer: 's/42 é', expiresIn: 600 }));
