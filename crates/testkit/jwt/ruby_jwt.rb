# Debian's `ruby-jwt`. `mint` reads {secret, kid, claims} from stdin and prints a link; `verify` reads {secret, token} and
# prints the claims. Exit 3: the library is not installed.

require 'base64'
require 'json'
begin
  require 'jwt'
rescue LoadError
  exit 3
end

$stdin.set_encoding('UTF-8')
asked = JSON.parse($stdin.read)
secret = Base64.urlsafe_decode64(asked['secret'])

if ARGV[0] == 'mint'
  print JWT.encode(asked['claims'], secret, 'HS256', { kid: asked['kid'] })
else
  claims, = JWT.decode(asked['token'], secret, true, algorithm: 'HS256')
  print JSON.generate(claims)
end
