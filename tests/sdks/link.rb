# Ruby: `link` or `upload_link` of the URL in the second argument; the keys come from LECTERN_KEYS.
require "lectern"

print Lectern.public_send(ARGV[0], ARGV[1], viewer: "s/42 é", expires_in: 600)
