# Debian's `libcrypt-jwt-perl`. `mint` reads {secret, kid, claims} from stdin and prints a link; `verify` reads
# {secret, token} and prints the claims. Exit 3: the library is not installed.

use strict;
use warnings;
use JSON::PP ();
use MIME::Base64 ();

eval { require Crypt::JWT; 1 } or exit 3;

local $/;
my $json  = JSON::PP->new->utf8;
my $asked = $json->decode(<STDIN>);
my $secret = MIME::Base64::decode_base64url($asked->{secret});

if ($ARGV[0] eq 'mint') {
    print Crypt::JWT::encode_jwt(
        payload       => $asked->{claims},
        alg           => 'HS256',
        key           => $secret,
        extra_headers => { typ => 'JWT', kid => $asked->{kid} },
    );
} else {
    my $claims = Crypt::JWT::decode_jwt(
        token        => $asked->{token},
        key          => $secret,
        accepted_alg => 'HS256',
        verify_exp   => 1,
    );
    print $json->encode($claims);
}
