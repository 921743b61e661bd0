package lectern

import (
	"crypto/hmac"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// Verify returns the claims of a token, or of a URL with a token, as the edge does. The link must
// open this URL, or url if it is not empty. Verify is for tests: in production the edge verifies.
func Verify(token, url string, edge Edge) (Claims, error) {
	ring, err := readKeys(edge.Keys)
	if err != nil {
		return Claims{}, err
	}
	if err := edge.check(); err != nil {
		return Claims{}, err
	}
	if inURL, ok := findToken(token); ok {
		if url == "" {
			url = token
		}
		token = inURL
	}
	claims, err := readToken(token, ring)
	if err != nil {
		return Claims{}, err
	}
	if err := edge.checkExpiry(claims.Exp); err != nil {
		return Claims{}, err
	}
	for _, earliest := range []int64{claims.Nbf, claims.Iat} {
		if earliest > edge.now()+30 {
			return Claims{}, fail("not_yet_valid", "the link is not valid before %d", earliest)
		}
	}
	if err := claims.checkTarget(); err != nil {
		return Claims{}, err
	}
	if url != "" {
		if err := checkScope(claims.Path, url); err != nil {
			return Claims{}, err
		}
	}
	return claims, nil
}

// Token in the query of a link.
func findToken(link string) (string, bool) {
	parts, err := splitURL(link)
	if err != nil {
		return "", false
	}
	for _, member := range strings.Split(parts.query, "&") {
		if strings.HasPrefix(member, "token=") {
			return strings.TrimPrefix(member, "token="), true
		}
	}
	return "", false
}

// Claims of a token whose form and signature are right, at any time.
func readToken(token string, ring []key) (Claims, error) {
	if len(token) > MaxLinkBytes {
		return Claims{}, fail("link_too_long", "the link is longer than %d bytes", MaxLinkBytes)
	}
	texts := strings.Split(token, ".")
	decoded := make([][]byte, len(texts))
	form := len(texts) == 3
	for at, text := range texts {
		var ok bool
		decoded[at], ok = decode(text)
		form = form && ok
	}
	if !form {
		return Claims{}, fail("malformed", "the link is not a JWT of three base64url parts")
	}
	kid, err := checkHeader(decoded[0])
	if err != nil {
		return Claims{}, err
	}
	// An unknown kid takes as long as a wrong signature.
	found, known := ring[0], false
	for _, key := range ring {
		if key.kid == kid {
			found, known = key, true
		}
	}
	right := hmac.Equal(mac(found.secret, texts[0]+"."+texts[1]), decoded[2])
	switch {
	case !known:
		return Claims{}, fail("unknown_key", "no key has the link's kid `%s`", kid)
	case !right:
		return Claims{}, fail("bad_signature", "the signature is wrong")
	}
	claims, err := readClaims(decoded[1])
	if err != nil {
		return Claims{}, fail("bad_claims", "a claim is wrong: %s", err)
	}
	return claims, nil
}

// The kid of a correct header.
func checkHeader(text []byte) (string, error) {
	bad := fail("bad_header", `the header is not {"alg":"HS256","kid":…}`)
	members, ok := object(text)
	if !ok {
		return "", bad
	}
	alg, hasAlg := textOf(members["alg"])
	kid, hasKid := textOf(members["kid"])
	if !hasAlg || alg != "HS256" || !hasKid {
		return "", bad
	}
	if member, has := members["typ"]; has {
		if typ, ok := textOf(member); !ok || !strings.EqualFold(typ, "JWT") {
			return "", bad
		}
	}
	if member, has := members["crit"]; has {
		names, ok := textsOf(member)
		if !ok || len(names) == 0 {
			return "", bad
		}
		for _, name := range names {
			if _, known := rules[name]; !known {
				return "", fail("unknown_critical",
					"the header's `crit` has the unknown name `%s`", name)
			}
		}
	}
	return kid, nil
}

var decimal = regexp.MustCompile(`^([0-9]+)\.[0-9]+$`)

// Claims of the payload of a token. Checks each claim that it has.
func readClaims(text []byte) (Claims, error) {
	claims := Claims{Use: Play}
	members, ok := object(text)
	if !ok {
		return claims, fail("bad_claims", "they are not a JSON object")
	}
	if _, has := members["exp"]; !has {
		return claims, fail("bad_exp", "%s", rules["exp"])
	}
	number := func(raw json.RawMessage, least, most uint64) (int64, bool) {
		value, err := strconv.ParseUint(string(raw), 10, 64)
		return int64(value), err == nil && value >= least && value <= most
	}
	// Seconds, rounded down by their digits: a float may be rounded up.
	time := func(raw json.RawMessage) (int64, bool) {
		if parts := decimal.FindSubmatch(raw); parts != nil {
			raw = parts[1]
		}
		return number(raw, 0, maxSafeInteger)
	}
	small := func(raw json.RawMessage, least uint64) (uint32, bool) {
		value, ok := number(raw, least, 1<<32-1)
		return uint32(value), ok
	}
	for name, raw := range members {
		ok := true
		switch name {
		case "path":
			claims.Path, ok = textOf(raw)
		case "exp":
			claims.Exp, ok = time(raw)
		case "nbf":
			claims.Nbf, ok = time(raw)
		case "iat":
			claims.Iat, ok = time(raw)
		case "use":
			var use string
			use, ok = textOf(raw)
			claims.Use, ok = Use(use), ok && use != ""
		case "sub":
			claims.Sub, ok = textOf(raw)
			ok = ok && claims.Sub != ""
		case "jti":
			claims.Jti, ok = textOf(raw)
			ok = ok && claims.Jti != ""
		case "watermark":
			claims.Watermark, ok = textOf(raw)
			ok = ok && claims.Watermark != ""
		case "watch":
			claims.Watch, ok = number(raw, 1, maxSafeInteger)
		case "max_height":
			claims.MaxHeight, ok = small(raw, 1)
		case "preview":
			var pair []json.RawMessage
			if ok = json.Unmarshal(raw, &pair) == nil && len(pair) == 2; ok {
				from, isFrom := small(pair[0], 0)
				to, isTo := small(pair[1], 0)
				claims.Preview, ok = &[2]uint32{from, to}, isFrom && isTo
			}
		case "langs":
			claims.Langs, ok = textsOf(raw)
		case "ip":
			claims.IP, ok = textsOf(raw)
		case "country":
			claims.Country, ok = textsOf(raw)
		case "origin":
			claims.Origin, ok = textsOf(raw)
		case "sessions":
			claims.Sessions, ok = small(raw, 1)
		case "sessions_policy":
			var policy string
			policy, ok = textOf(raw)
			claims.SessionsPolicy = SessionsPolicy(policy)
		case "strict":
			claims.Strict = string(raw) == "true"
			ok = claims.Strict || string(raw) == "false"
		case "offline":
			claims.Offline, ok = number(raw, 1, maxOffline)
		case "max_bytes":
			claims.MaxBytes, ok = number(raw, 1, maxSafeInteger)
		case "max_objects":
			claims.MaxObjects, ok = small(raw, 1)
		case "types":
			claims.Types, ok = textsOf(raw)
		}
		if !ok {
			return claims, fail("bad_"+name, "%s", rules[name])
		}
	}
	return claims, claims.check()
}

func object(text []byte) (map[string]json.RawMessage, bool) {
	var members map[string]json.RawMessage
	ok := readJSON(text, &members) && members != nil
	return members, ok
}

func textOf(raw json.RawMessage) (string, bool) {
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

func textsOf(raw json.RawMessage) ([]string, bool) {
	var entries []*string
	if json.Unmarshal(raw, &entries) != nil || entries == nil {
		return nil, false
	}
	texts := make([]string, len(entries))
	for at, entry := range entries {
		if entry == nil {
			return nil, false
		}
		texts[at] = *entry
	}
	return texts, true
}

func checkScope(path, url string) error {
	parts, err := splitURL(url)
	if err != nil {
		return err
	}
	opened, err := readPath(parts.path, false)
	if err != nil {
		return err
	}
	if opened == path || strings.HasSuffix(path, "/") && strings.HasPrefix(opened, path) {
		return nil
	}
	return fail("wrong_scope", "the link opens `%s`, not `%s`", path, opened)
}
