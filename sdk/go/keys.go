// Keys of LECTERN_KEYS, their signatures (RFC 7515), base64url (RFC 4648 §5), and strict JSON.

package lectern

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

type key struct {
	kid    string
	secret []byte
}

var kidForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// The keys, the signing key first.
func readKeys(text string) ([]key, error) {
	if text == "" {
		text = os.Getenv("LECTERN_KEYS")
	}
	if strings.TrimSpace(text) == "" {
		return nil, fail("no_keys", "LECTERN_KEYS is not set: copy the edge's value, which "+
			"`lectern keys new` prints")
	}
	bad := fail("bad_keys", `LECTERN_KEYS is not a JSON list of {"kid", "secret"}`)
	var entries []map[string]*string
	if !readJSON([]byte(text), &entries) || entries == nil {
		return nil, bad
	}
	for _, entry := range entries {
		if len(entry) != 2 || entry["kid"] == nil || entry["secret"] == nil {
			return nil, bad
		}
	}
	if len(entries) == 0 {
		return nil, fail("no_keys", "LECTERN_KEYS is an empty list: run `lectern keys new`")
	}
	ring := make([]key, 0, len(entries))
	for _, entry := range entries {
		kid := *entry["kid"]
		for _, known := range ring {
			if known.kid == kid {
				return nil, fail("duplicate_kid", "LECTERN_KEYS has the kid `%s` twice", kid)
			}
		}
		secret, ok := decode(*entry["secret"])
		length := "the secret of `%s` has %d bytes; it needs 32 to 1024"
		switch {
		case !ok:
			return nil, fail("bad_secret",
				"the secret of `%s` is not base64url without padding", kid)
		case !kidForm.MatchString(kid):
			return nil, fail("bad_kid", "a kid must be 1 to 64 characters of A-Za-z0-9._-")
		case len(secret) < 32:
			return nil, fail("key_too_short", length, kid, len(secret))
		case len(secret) > 1024:
			return nil, fail("key_too_long", length, kid, len(secret))
		}
		ring = append(ring, key{kid, secret})
	}
	return ring, nil
}

// A token of JSON. No string has an unpaired surrogate.
var tokenForm = regexp.MustCompile(`"(?:[^"\\]|\\u(?:[0-9A-CEFa-cef][0-9A-Fa-f]{3}|` +
	`[Dd][0-7][0-9A-Fa-f]{2}|[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})|\\[^u])*"|` +
	`[{}\[\]:,]|[^\s{}\[\]:,"]+`)

// Reads JSON in UTF-8 without repeated members, at most 16 levels deep.
func readJSON(text []byte, into any) bool {
	if !utf8.Valid(text) || json.Unmarshal(text, into) != nil {
		return false
	}
	tokens := tokenForm.FindAllString(string(text), -1)
	var open []map[string]bool
	for at, token := range tokens {
		switch {
		case token == "}" || token == "]":
			if len(open) == 0 {
				return false
			}
			open = open[:len(open)-1]
		case strings.HasPrefix(token, `\`) || token != "," && token != ":" && len(open) > 16:
			// A backslash outside a string is the rest of a malformed string.
			return false
		}
		if at+1 < len(tokens) && tokens[at+1] == ":" {
			var name string
			isName := len(open) > 0 && json.Unmarshal([]byte(token), &name) == nil
			if !isName || open[len(open)-1][name] {
				return false
			}
			open[len(open)-1][name] = true
		}
		if token == "{" || token == "[" {
			open = append(open, map[string]bool{})
		}
	}
	return true
}

func mac(secret []byte, text string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// Base64url without padding.
func encode(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }

// Bytes of base64url without padding, in its one correct spelling. Go's decoder skips line feeds.
func decode(text string) ([]byte, bool) {
	bytes, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return bytes, err == nil && !strings.ContainsAny(text, "\r\n")
}
