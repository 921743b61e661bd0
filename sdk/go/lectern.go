// Package lectern mints and verifies links to lectures behind a Lectern edge. Standard library only.
//
//	lectern.Link("https://video.school.example/courses/rails/intro/master.m3u8",
//		lectern.Options{Viewer: "s42", ExpiresIn: 6 * time.Hour})
//	// "https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…"
//
// The keys are the text that the edge has as LECTERN_KEYS, taken from the environment of that name; Edge.Keys overrides it. The
// first key mints, all verify. What is zero is not set. A link that the edge would refuse whoever opens it is refused here, as
// an *Error.
package lectern

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxLinkAge and MaxWatch are what the edge has where its variables of these names are not set.
	MaxLinkAge = 30 * 24 * time.Hour
	MaxWatch   = 24 * time.Hour
	// ExpiresIn is how long a link opens where nothing is said.
	ExpiresIn    = 6 * time.Hour
	MaxLinkBytes = 4096

	maxSafeInteger = 1<<53 - 1
)

// Error says what is wrong. Code is stable, and the same in every language: key_too_short, exp_too_far, path_not_absolute …
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Message }

func fail(code, format string, values ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, values...)}
}

// Use is what a link may be used for.
type Use string

const (
	Play     Use = "play"
	Download Use = "download"
	Upload   Use = "upload"
	Admin    Use = "admin"
)

// Edge is the edge that links are for.
type Edge struct {
	// Keys is the text that the edge has as LECTERN_KEYS; LECTERN_KEYS of the environment where it is empty.
	Keys string `json:"-"`
	// Now is the time, where it is not the clock's.
	Now time.Time
	// MaxLinkAge and MaxWatch of the edge, where it has others than the constants of these names.
	MaxLinkAge time.Duration
	MaxWatch   time.Duration
}

// Format prints an Edge without its keys, whatever the verb.
func (e Edge) Format(state fmt.State, verb rune) {
	type plain Edge // Without this method.
	if e.Keys != "" {
		e.Keys = "…"
	}
	fmt.Fprintf(state, formatOf(state, verb), plain(e))
}

// Format prints Options without the keys of their Edge, whatever the verb.
func (o Options) Format(state fmt.State, verb rune) {
	// Field by field: the method of the Edge within would speak for all of it.
	fields := reflect.ValueOf(o)
	for at := 0; at < fields.NumField(); at++ {
		before := map[bool]string{true: "{", false: " "}[at == 0]
		fmt.Fprintf(state, before+fields.Type().Field(at).Name+":"+formatOf(state, verb), fields.Field(at).Interface())
	}
	fmt.Fprint(state, "}")
}

func formatOf(state fmt.State, verb rune) string {
	format := "%"
	for _, flag := range "+-# 0" {
		if state.Flag(int(flag)) {
			format += string(flag)
		}
	}
	return format + string(verb)
}

// Options are what a link says beside what it opens. Durations are cut to whole seconds; one that is less is refused, for it is
// a number that was not multiplied by time.Second.
type Options struct {
	// Viewer is who watches, opaque to the edge.
	Viewer string
	// ExpiresIn is how long the link opens; the constant of this name where ExpiresAt is zero too.
	ExpiresIn time.Duration
	ExpiresAt time.Time
	NotBefore time.Time
	// Watch is how long a lecture goes on playing after it was opened.
	Watch time.Duration
	// MaxHeight keeps Variant Streams of more lines, by the shorter side, out of the list.
	MaxHeight uint32
	// Preview is from and to, in seconds: only Media Segments that touch these are listed.
	Preview *[2]uint32
	// Langs are the audio and subtitles to list, as BCP 47 ranges.
	Langs []string
	// IP are addresses or ranges that may open the link: "192.0.2.0/24".
	IP []string
	// Country are ISO 3166 codes of countries that may open the link.
	Country []string
	// Origin are pages that may open the link: "https://*.school.example".
	Origin []string
	// JTI is the link's own id.
	JTI string
	Use Use
	// Directory makes the link open the folder that the URL's object is in. A URL that ends in a slash is a folder already.
	Directory bool
	Edge
}

// Claims are what a link says. Instants are seconds since 1970.
type Claims struct {
	// Path is an object, or a folder with its slash, decoded: "/courses/rails/".
	Path      string     `json:"path"`
	Exp       int64      `json:"exp"`
	Nbf       int64      `json:"nbf"`
	Iat       int64      `json:"iat"`
	Use       Use        `json:"use"`
	Sub       string     `json:"sub"`
	Jti       string     `json:"jti"`
	Watch     int64      `json:"watch"`
	MaxHeight uint32     `json:"max_height"`
	Preview   *[2]uint32 `json:"preview"`
	Langs     []string   `json:"langs"`
	IP        []string   `json:"ip"`
	Country   []string   `json:"country"`
	Origin    []string   `json:"origin"`
	// Sessions is reserved: the edge refuses a link that has it.
	Sessions uint32 `json:"sessions"`
	// MaxBytes is reserved: the edge refuses a link that has it.
	MaxBytes int64 `json:"max_bytes"`
}

// Link gives the URL with ?token=… in its query; an older token there is replaced. A URL that ends in a slash opens its folder.
func Link(url string, options Options) (string, error) {
	parts, err := splitURL(url)
	if err != nil {
		return "", err
	}
	path, err := objectPath(parts.path, options.Directory)
	if err != nil {
		return "", err
	}
	if isTooShort(options.ExpiresIn) {
		return "", fail("bad_exp", tooShort, "ExpiresIn", options.ExpiresIn)
	}
	if isTooShort(options.Watch) {
		return "", fail("bad_watch", tooShort, "Watch", options.Watch)
	}
	if options.ExpiresIn != 0 && !options.ExpiresAt.IsZero() {
		return "", fail("bad_exp", "ExpiresIn and ExpiresAt are both set")
	}
	if options.Now.IsZero() {
		options.Now = time.Now()
	}
	lasts := options.ExpiresIn
	if lasts == 0 {
		lasts = ExpiresIn
	}
	claims := Claims{
		Path: path, Exp: options.Now.Unix() + seconds(lasts), Use: options.Use, Sub: options.Viewer, Jti: options.JTI,
		Watch: seconds(options.Watch), MaxHeight: options.MaxHeight, Preview: options.Preview, Langs: options.Langs,
		IP: options.IP, Country: options.Country, Origin: options.Origin,
	}
	if !options.ExpiresAt.IsZero() {
		claims.Exp = options.ExpiresAt.Unix()
	}
	if !options.NotBefore.IsZero() {
		claims.Nbf = options.NotBefore.Unix()
	}
	token, err := Mint(claims, options.Edge)
	if err != nil {
		return "", err
	}
	return parts.withToken(token), nil
}

// UploadLink is as Link, to write below a folder: the URL ends in a slash, or Directory is set. It reads nothing.
func UploadLink(url string, options Options) (string, error) {
	parts, err := splitURL(url)
	if err != nil {
		return "", err
	}
	path, err := objectPath(parts.path, options.Directory)
	if err != nil {
		return "", err
	}
	if !strings.HasSuffix(path, "/") {
		return "", fail("path_not_a_folder", "an upload link opens a folder: end the URL in a slash, or set Directory")
	}
	options.Use = Upload
	return Link(url, options)
}

// Mint gives a token over these claims.
func Mint(claims Claims, edge Edge) (string, error) {
	ring, err := keyring(edge.Keys)
	if err != nil {
		return "", err
	}
	if err := edge.check(); err != nil {
		return "", err
	}
	if err := claims.checkReserved(); err != nil {
		return "", err
	}
	if err := claims.check(); err != nil {
		return "", err
	}
	if err := claims.checkOpens(); err != nil {
		return "", err
	}
	if err := edge.checkExpiry(claims.Exp); err != nil {
		return "", err
	}
	if most := seconds(or(edge.MaxWatch, MaxWatch)); claims.Watch > most {
		return "", fail("watch_too_long", "`watch` is %d s, and the edge counts %d at most (MAX_WATCH)", claims.Watch, most)
	}
	header := `{"alg":"HS256","typ":"JWT","kid":` + quote(ring[0].kid) + `}`
	signed := encode([]byte(header)) + "." + encode([]byte(claims.json()))
	token := signed + "." + encode(mac(ring[0].secret, signed))
	if len(token) > MaxLinkBytes {
		return "", fail("link_too_long", "the link is longer than %d bytes", MaxLinkBytes)
	}
	return token, nil
}

// Verify gives the claims of a token, or of a URL that has one, which then has to open that URL; url, where it is not empty, is
// what it has to open else.
func Verify(token, url string, edge Edge) (Claims, error) {
	ring, err := keyring(edge.Keys)
	if err != nil {
		return Claims{}, err
	}
	if err := edge.check(); err != nil {
		return Claims{}, err
	}
	if parts, err := splitURL(token); err == nil {
		for _, parameter := range strings.Split(parts.query, "&") {
			if strings.HasPrefix(parameter, "token=") {
				if url == "" {
					url = token
				}
				token = strings.TrimPrefix(parameter, "token=")
				break
			}
		}
	}
	claims, err := claimsOf(token, ring)
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
	if err := claims.checkReserved(); err != nil {
		return Claims{}, err
	}
	if err := claims.checkOpens(); err != nil {
		return Claims{}, err
	}
	if url != "" {
		if err := checkScope(claims.Path, url); err != nil {
			return Claims{}, err
		}
	}
	return claims, nil
}

// KeyIDs are the ids of the keys, the minting one first, as the edge's /_lectern/health says them; keys may be empty, as Edge.Keys.
func KeyIDs(keys string) ([]string, error) {
	ring, err := keyring(keys)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(ring))
	for at, key := range ring {
		ids[at] = key.kid
	}
	return ids, nil
}

type key struct {
	kid    string
	secret []byte
}

var kidForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func keyring(text string) ([]key, error) {
	if text == "" {
		text = os.Getenv("LECTERN_KEYS")
	}
	if strings.TrimSpace(text) == "" {
		return nil, fail("no_keys", "LECTERN_KEYS is not set: it is the text that the edge has, which `lectern keys new` printed")
	}
	bad := fail("bad_keys", `LECTERN_KEYS is not a JSON list of {"kid", "secret"}`)
	var entries []map[string]*string
	if !read([]byte(text), &entries) || entries == nil {
		return nil, bad
	}
	for _, entry := range entries {
		if len(entry) != 2 || entry["kid"] == nil || entry["secret"] == nil {
			return nil, bad
		}
	}
	if len(entries) == 0 {
		return nil, fail("no_keys", "LECTERN_KEYS is an empty list: `lectern keys new` prints a value")
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
		switch {
		case !ok:
			return nil, fail("bad_secret", "the secret of `%s` is not base64url without padding", kid)
		case !kidForm.MatchString(kid):
			return nil, fail("bad_kid", "a kid is not 1 to 64 characters of A-Za-z0-9._-")
		case len(secret) < 32:
			return nil, fail("key_too_short", "the secret of `%s` has %d bytes; it needs 32 to 1024", kid, len(secret))
		case len(secret) > 1024:
			return nil, fail("key_too_long", "the secret of `%s` has %d bytes; it needs 32 to 1024", kid, len(secret))
		}
		ring = append(ring, key{kid, secret})
	}
	return ring, nil
}

// RFC 3986, taken apart as text, so that what is not the token stays as it was.
var urlForm = regexp.MustCompile(`^([Hh][Tt][Tt][Pp][Ss]?://[^/?#\\\x00-\x20\x7f]+)(/[^?#]*|)(\?[^#\x00-\x20\x7f]*)?(#[^\x00-\x20\x7f]*)?$`)

type parts struct {
	origin, path, query string
	// With its `#`.
	fragment string
}

func splitURL(url string) (parts, error) {
	found := urlForm.FindStringSubmatch(url)
	if found == nil || !utf8.ValidString(url) {
		return parts{}, fail("bad_url", "not a URL of an edge: it begins with https:// or http://, without spaces in host and query")
	}
	return parts{found[1], found[2], strings.TrimPrefix(found[3], "?"), found[4]}, nil
}

func (p parts) withToken(token string) string {
	var url strings.Builder
	url.WriteString(p.origin)
	for at := 0; at < len(p.path); at++ {
		char := p.path[at]
		if isAlphanumeric(char) || strings.IndexByte("-._~!$&'()*+,=:@/%", char) >= 0 {
			url.WriteByte(char)
		} else {
			fmt.Fprintf(&url, "%%%02X", char)
		}
	}
	url.WriteByte('?')
	if p.query != "" {
		for _, parameter := range strings.Split(p.query, "&") {
			if parameter != "token" && !strings.HasPrefix(parameter, "token=") {
				url.WriteString(parameter + "&")
			}
		}
	}
	return url.String() + "token=" + token + p.fragment
}

// What a URL's path names, decoded once.
func objectPath(path string, directory bool) (string, error) {
	if !strings.HasPrefix(path, "/") {
		return "", badPath("path_not_absolute")
	}
	encoded, slash := path[1:], ""
	if strings.HasSuffix(encoded, "/") {
		encoded, slash = strings.TrimSuffix(encoded, "/"), "/"
	}
	if len(encoded) > 3*1024 {
		return "", badPath("path_too_long")
	}
	key := make([]byte, 0, len(encoded))
	for at := 0; at < len(encoded); at++ {
		if encoded[at] != '%' {
			key = append(key, encoded[at])
			continue
		}
		if at+2 >= len(encoded) || !isHex(encoded[at+1]) || !isHex(encoded[at+2]) {
			return "", badPath("path_bad_escape")
		}
		decoded, _ := strconv.ParseUint(encoded[at+1:at+3], 16, 8)
		if decoded == '/' || decoded == '\\' {
			return "", badPath("path_encoded_separator")
		}
		key = append(key, byte(decoded))
		at += 2
	}
	decoded := "/" + string(key) + slash
	if err := checkPath(decoded); err != nil {
		return "", err
	}
	if directory && slash == "" {
		decoded = decoded[:strings.LastIndexByte(decoded, '/')+1]
		if err := checkPath(decoded); err != nil {
			return "", err
		}
	}
	return decoded, nil
}

var pathRules = map[string]string{
	"path_not_absolute":      "does not start with a slash",
	"path_empty_segment":     "has an empty segment, or is the whole bucket",
	"path_dot_segment":       "has a `.` or `..` segment",
	"path_encoded_separator": "has an encoded slash or backslash",
	"path_backslash":         "has a backslash",
	"path_semicolon":         "has a semicolon",
	"path_control":           "has a control character",
	"path_bad_escape":        "has a percent sign without two hexadecimal digits",
	"path_encoded_twice":     "is percent-encoded twice",
	"path_not_utf8":          "is not UTF-8",
	"path_too_long":          "is longer than 1024 bytes",
	"path_too_deep":          "is over 255 folders deep",
	"path_reserved":          "is the edge's own: `/_lectern/`, and what begins with `/~`",
}

func badPath(code string) error {
	return fail(code, "the path %s; it is `/folder/object`, or `/folder/` for everything in it", pathRules[code])
}

var escape = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return badPath("path_not_absolute")
	}
	key := strings.TrimSuffix(path[1:], "/")
	switch {
	case !utf8.ValidString(path):
		return badPath("path_not_utf8")
	case len(key) > 1024:
		return badPath("path_too_long")
	case strings.Contains(key, `\`):
		return badPath("path_backslash")
	case strings.Contains(key, ";"):
		return badPath("path_semicolon")
	case strings.IndexFunc(key, unicode.IsControl) >= 0:
		return badPath("path_control")
	case escape.MatchString(key):
		return badPath("path_encoded_twice")
	}
	for _, segment := range strings.Split(key, "/") {
		switch segment {
		case "":
			return badPath("path_empty_segment")
		case ".", "..":
			return badPath("path_dot_segment")
		}
	}
	return nil
}

// Restrictions that the edge does not enforce yet.
func (c *Claims) checkReserved() error {
	const reserved = "`%s` is reserved: the edge refuses a link that has it"
	if c.Sessions != 0 {
		return fail("reserved_claim", reserved, "sessions")
	}
	if c.MaxBytes != 0 {
		return fail("reserved_claim", reserved, "max_bytes")
	}
	return nil
}

var extension = regexp.MustCompile(`\.([A-Za-z0-9]+)$`)

// What a link with restrictions never opens, whatever is stored there: what these extensions name is sent as it is.
const noPlaylist = " m4s mp4 cmfv m4v m4a cmfa ts aac mp3 webm mov mkv vtt mpd json jpg jpeg png webp avif gif "

// What is well-formed, and opens nothing at the edge.
func (c *Claims) checkOpens() error {
	if strings.HasPrefix(c.Path, "/_lectern/") || strings.HasPrefix(c.Path, "/~") {
		return badPath("path_reserved")
	}
	if strings.Count(c.Path, "/") > 256 {
		return badPath("path_too_deep")
	}
	if c.MaxHeight == 0 && c.Preview == nil && c.Langs == nil || c.Use == Upload {
		return nil
	}
	if found := extension.FindStringSubmatch(c.Path); found != nil && strings.Contains(noPlaylist, " "+strings.ToLower(found[1])+" ") {
		return fail("path_not_a_playlist", "a link with MaxHeight, Preview or Langs opens playlists: link to the `.m3u8`, or to its folder")
	}
	return nil
}

// What is said of the edge beside its keys.
func (e Edge) check() error {
	if e.now() < 0 {
		return fail("bad_option", "`Now` is a time since 1970")
	}
	for _, bound := range []struct {
		name     string
		duration time.Duration
	}{{"MaxLinkAge", e.MaxLinkAge}, {"MaxWatch", e.MaxWatch}} {
		if isTooShort(bound.duration) {
			return fail("bad_option", tooShort, bound.name, bound.duration)
		}
		if bound.duration < 0 {
			return fail("bad_option", "`%s` is less than nothing", bound.name)
		}
	}
	return nil
}

func (e Edge) now() int64 {
	if e.Now.IsZero() {
		return time.Now().Unix()
	}
	return e.Now.Unix()
}

func (e Edge) checkExpiry(exp int64) error {
	now, most := e.now(), seconds(or(e.MaxLinkAge, MaxLinkAge))
	if exp < now {
		return fail("expired", "the link expired at %d; it is %d", exp, now)
	}
	if exp-now > most {
		return fail("exp_too_far", "the link expires more than %d s ahead (MAX_LINK_AGE)", most)
	}
	return nil
}

// A number of seconds without its unit is one of nanoseconds, which would be none at all.
func isTooShort(duration time.Duration) bool {
	return duration != 0 && duration > -time.Second && duration < time.Second
}

const tooShort = "`%s` is %v, less than a second: a time.Duration counts nanoseconds, so multiply seconds by time.Second"

func seconds(duration time.Duration) int64 { return int64(duration / time.Second) }

func or(duration, unset time.Duration) time.Duration {
	if duration == 0 {
		return unset
	}
	return duration
}

// What each claim has to be, by its name.
var rules = map[string]string{
	"path":       "",
	"exp":        "`exp` (ExpiresIn, ExpiresAt) is a whole number of seconds since 1970",
	"nbf":        "`nbf` (NotBefore) is a whole number of seconds since 1970",
	"iat":        "`iat` is a whole number of seconds since 1970",
	"use":        "`use` is `play`, `download`, `upload` or `admin`",
	"sub":        "`sub` (Viewer) is a text of 1 to 256 bytes",
	"jti":        "`jti` is a text of 1 to 256 bytes",
	"watch":      "`watch` is a whole number of seconds, at least 1",
	"max_height": "`max_height` is a whole number of lines, at least 1",
	"preview":    "`preview` is from and to in whole seconds, the first before the second",
	"langs":      "`langs` is a list of 1 to 32 BCP 47 tags such as `en` or `pt-BR`",
	"ip":         "`ip` is a list of 1 to 32 ranges such as `192.0.2.0/24`, without bits behind the prefix",
	"country":    "`country` is a list of 1 to 32 ISO 3166 codes such as `DE`",
	"origin":     "`origin` is a list of 1 to 32 origins such as `https://*.school.example`",
	"sessions":   "`sessions` is a whole number, at least 1",
	"max_bytes":  "`max_bytes` is a whole number of bytes, at least 1",
}

// Holds claims to their rules, and writes them as the edge does.
func (c *Claims) check() error {
	if err := checkPath(c.Path); err != nil {
		return err
	}
	instant := func(value int64) bool { return value >= 0 && value <= maxSafeInteger }
	name := func(value string) bool { return len(value) <= 256 && utf8.ValidString(value) }
	for _, claim := range []struct {
		name string
		ok   bool
	}{
		{"exp", instant(c.Exp)},
		{"nbf", instant(c.Nbf)},
		{"iat", instant(c.Iat)},
		{"use", c.Use == "" || c.Use == Play || c.Use == Download || c.Use == Upload || c.Use == Admin},
		{"sub", name(c.Sub)},
		{"jti", name(c.Jti)},
		{"watch", instant(c.Watch)},
		{"preview", c.Preview == nil || c.Preview[0] < c.Preview[1]},
		{"langs", list(&c.Langs, lang)},
		{"ip", list(&c.IP, cidr)},
		{"country", list(&c.Country, country)},
		{"origin", list(&c.Origin, origin)},
	} {
		if !claim.ok {
			return fail("bad_"+claim.name, "%s", rules[claim.name])
		}
	}
	return nil
}

func list(values *[]string, read func(string) (string, bool)) bool {
	if *values == nil {
		return true
	}
	if len(*values) < 1 || len(*values) > 32 {
		return false
	}
	entries := make([]string, len(*values))
	for at, value := range *values {
		var ok bool
		if entries[at], ok = read(value); !ok {
			return false
		}
	}
	*values = entries
	return true
}

var langForm = regexp.MustCompile(`^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$`)

func lang(text string) (string, bool) { return text, langForm.MatchString(text) }

var countryForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]$`)

func country(text string) (string, bool) {
	return strings.ToUpper(text), countryForm.MatchString(text)
}

var originForm = regexp.MustCompile(`^([A-Za-z0-9.:\[\]+-]+)://(\*\.[A-Za-z0-9.:\[\]+-]*|[A-Za-z0-9.:\[\]+-]+)$`)

func origin(text string) (string, bool) {
	parts := originForm.FindStringSubmatch(text)
	if parts == nil {
		return "", false
	}
	host := parts[2]
	if strings.HasPrefix(host, ".") {
		host = "*" + host
	}
	return strings.ToLower(parts[1] + "://" + host), true
}

var cidrForm = regexp.MustCompile(`^([0-9A-Fa-f:.]+)(?:/([0-9]+))?$`)

var longGroup = regexp.MustCompile(`[0-9A-Fa-f]{5}`)

// RFC 4632, RFC 4291: no bit behind the prefix, no IPv4 address written as IPv6.
func cidr(text string) (string, bool) {
	parts := cidrForm.FindStringSubmatch(text)
	// RFC 4291 §2.2: one to four digits. netip takes zeros in front of them.
	if parts == nil || longGroup.MatchString(parts[1]) {
		return "", false
	}
	address, err := netip.ParseAddr(parts[1])
	if err != nil || address.Is4In6() {
		return "", false
	}
	length := address.BitLen()
	if parts[2] != "" {
		if length, err = strconv.Atoi(parts[2]); err != nil {
			return "", false
		}
	}
	prefix, err := address.Prefix(length)
	return prefix.String(), err == nil && prefix.Addr() == address
}

func (c *Claims) json() string {
	var json strings.Builder
	member := func(name, value string, isSet bool) {
		if isSet {
			json.WriteString(`,"` + name + `":` + value)
		}
	}
	number := func(name string, value int64) { member(name, strconv.FormatInt(value, 10), value != 0) }
	texts := func(name string, values []string) {
		quoted := make([]string, len(values))
		for at, value := range values {
			quoted[at] = quote(value)
		}
		member(name, "["+strings.Join(quoted, ",")+"]", values != nil)
	}
	json.WriteString(`{"path":` + quote(c.Path) + `,"exp":` + strconv.FormatInt(c.Exp, 10))
	number("nbf", c.Nbf)
	number("iat", c.Iat)
	member("use", quote(string(c.Use)), c.Use != "" && c.Use != Play)
	member("sub", quote(c.Sub), c.Sub != "")
	member("jti", quote(c.Jti), c.Jti != "")
	number("watch", c.Watch)
	number("max_height", int64(c.MaxHeight))
	if c.Preview != nil {
		member("preview", fmt.Sprintf("[%d,%d]", c.Preview[0], c.Preview[1]), true)
	}
	texts("langs", c.Langs)
	texts("ip", c.IP)
	texts("country", c.Country)
	texts("origin", c.Origin)
	return json.String() + "}"
}

// As the edge writes a string: encoding/json escapes `<`, `>`, `&` and two separators as well.
func quote(text string) string {
	var quoted strings.Builder
	quoted.WriteByte('"')
	for at := 0; at < len(text); at++ {
		char := text[at]
		switch short := strings.IndexByte("\b\f\n\r\t\"\\", char); {
		case short >= 0:
			quoted.WriteByte('\\')
			quoted.WriteByte(`bfnrt"\`[short])
		case char < ' ':
			fmt.Fprintf(&quoted, `\u%04x`, char)
		default:
			quoted.WriteByte(char)
		}
	}
	quoted.WriteByte('"')
	return quoted.String()
}

// The claims of a token whose form and signature are right, whatever the time.
func claimsOf(token string, ring []key) (Claims, error) {
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
		return Claims{}, fail("bad_claims", "the claims are not acceptable: %s", err)
	}
	return claims, nil
}

// The kid of a header that says what it must.
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
				return "", fail("unknown_critical", "the header's `crit` lists `%s`, which is not understood", name)
			}
		}
	}
	return kid, nil
}

// Claims as a token says them: each one that is there has to be what it must.
func readClaims(text []byte) (Claims, error) {
	claims := Claims{Use: Play}
	members, ok := object(text)
	if !ok {
		return claims, fail("bad_claims", "they are no JSON object")
	}
	if _, has := members["exp"]; !has {
		return claims, fail("bad_exp", "%s", rules["exp"])
	}
	number := func(raw json.RawMessage, least, most uint64) (int64, bool) {
		value, err := strconv.ParseUint(string(raw), 10, 64)
		return int64(value), err == nil && value >= least && value <= most
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
			claims.Exp, ok = number(raw, 0, maxSafeInteger)
		case "nbf":
			claims.Nbf, ok = number(raw, 0, maxSafeInteger)
		case "iat":
			claims.Iat, ok = number(raw, 0, maxSafeInteger)
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
		case "max_bytes":
			claims.MaxBytes, ok = number(raw, 1, maxSafeInteger)
		}
		if !ok {
			return claims, fail("bad_"+name, "%s", rules[name])
		}
	}
	return claims, claims.check()
}

// What JSON is made of; half of a surrogate pair is in no string.
var tokenForm = regexp.MustCompile(`"(?:[^"\\]|\\u(?:[0-9A-CEFa-cef][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2}|[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})|\\[^u])*"|[{}\[\]:,]|[^\s{}\[\]:,"]+`)

// Reads JSON as the edge does: UTF-8, whole characters, no member twice, 16 levels at most.
func read(text []byte, into any) bool {
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
			// A backslash outside of strings is what is left of a string that is none.
			return false
		}
		if at+1 < len(tokens) && tokens[at+1] == ":" {
			var name string
			if len(open) == 0 || json.Unmarshal([]byte(token), &name) != nil || open[len(open)-1][name] {
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

func object(text []byte) (map[string]json.RawMessage, bool) {
	var members map[string]json.RawMessage
	ok := read(text, &members) && members != nil
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
	opened, err := objectPath(parts.path, false)
	if err != nil {
		return err
	}
	if opened == path || strings.HasSuffix(path, "/") && strings.HasPrefix(opened, path) {
		return nil
	}
	return fail("wrong_scope", "the link opens `%s`, and not `%s`", path, opened)
}

func isHex(char byte) bool {
	return char >= '0' && char <= '9' || char >= 'a' && char <= 'f' || char >= 'A' && char <= 'F'
}

func isAlphanumeric(char byte) bool {
	return char >= '0' && char <= '9' || char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z'
}

func mac(secret []byte, text string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func encode(bytes []byte) string { return base64.RawURLEncoding.EncodeToString(bytes) }

// Base64url without padding (RFC 4648 §5), in its one right spelling. The decoder would skip line feeds.
func decode(text string) ([]byte, bool) {
	bytes, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return bytes, err == nil && !strings.ContainsAny(text, "\r\n")
}
