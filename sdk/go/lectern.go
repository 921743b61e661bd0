// Package lectern mints links to lectures behind a Lectern edge. Needs the standard library only.
//
//	lectern.Link("https://video.school.example/courses/rails/intro/master.m3u8",
//		lectern.Options{Viewer: "s42", ExpiresIn: 6 * time.Hour})
//	// "https://video.school.example/courses/rails/intro/master.m3u8?token=eyJ…"
//
// Edge.Keys takes the edge's LECTERN_KEYS. It defaults to LECTERN_KEYS of the environment. The
// first key signs. A zero value is not set. A link that the edge would refuse to every viewer
// returns an *Error.
//
// Tests verify links with Verify. In production the edge verifies.
package lectern

import (
	"fmt"
	"strings"
	"time"
)

const (
	// MaxLinkAge and MaxWatch are the defaults of the edge's MAX_LINK_AGE and MAX_WATCH.
	MaxLinkAge = 30 * 24 * time.Hour
	MaxWatch   = 24 * time.Hour
	// ExpiresIn is the lifetime of a link without Options.ExpiresIn and Options.ExpiresAt.
	ExpiresIn    = 6 * time.Hour
	MaxLinkBytes = 4096
)

// Error is the refusal of a link. Code is stable, and the same in every language.
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Message }

func fail(code, format string, values ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, values...)}
}

// Use is what a link permits.
type Use string

const (
	Play     Use = "play"
	Download Use = "download"
	Upload   Use = "upload"
	Admin    Use = "admin"
)

// SessionsPolicy is the player that wins when a viewer has more than Sessions.
type SessionsPolicy string

const (
	// Newest lets a new player take the place of the oldest. It is the default.
	Newest SessionsPolicy = "newest"
	// Oldest refuses a new player.
	Oldest SessionsPolicy = "oldest"
)

// Link returns the URL with ?token=… in its query, in place of an older token. A URL that ends in a
// slash opens its folder.
func Link(url string, options Options) (string, error) {
	parts, err := splitURL(url)
	if err != nil {
		return "", err
	}
	path, err := readPath(parts.path, options.Directory)
	if err != nil {
		return "", err
	}
	if isTooShort(options.ExpiresIn) {
		return "", fail("bad_exp", tooShort, "ExpiresIn", options.ExpiresIn)
	}
	if isTooShort(options.Watch) {
		return "", fail("bad_watch", tooShort, "Watch", options.Watch)
	}
	if isTooShort(options.Offline) {
		return "", fail("bad_offline", tooShort, "Offline", options.Offline)
	}
	if options.ExpiresIn != 0 && !options.ExpiresAt.IsZero() {
		return "", fail("bad_exp", "ExpiresIn and ExpiresAt are both set: remove one")
	}
	if options.Now.IsZero() {
		options.Now = time.Now()
	}
	claims := Claims{
		Path: path, Exp: options.Now.Unix() + seconds(or(options.ExpiresIn, ExpiresIn)),
		Use: options.Use, Sub: options.Viewer, Jti: options.JTI, Watch: seconds(options.Watch),
		Watermark: options.Watermark,
		MaxHeight: options.MaxHeight, Preview: options.Preview, Langs: options.Langs,
		IP: options.IP, Country: options.Country, Origin: options.Origin,
		Sessions: options.Sessions, SessionsPolicy: options.SessionsPolicy, Strict: options.Strict,
		Offline:  seconds(options.Offline),
		MaxBytes: options.MaxBytes, MaxObjects: options.MaxObjects, Types: options.Types,
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

// UploadLink returns a link that writes below a folder and reads nothing. The URL must end in a
// slash, unless Directory is set.
func UploadLink(url string, options Options) (string, error) {
	parts, err := splitURL(url)
	if err != nil {
		return "", err
	}
	path, err := readPath(parts.path, options.Directory)
	if err != nil {
		return "", err
	}
	if !strings.HasSuffix(path, "/") {
		return "", fail("path_not_a_folder",
			"an upload link opens a folder: end the URL in a slash, or set Directory")
	}
	options.Use = Upload
	return Link(url, options)
}

// EmbedURL returns the address of the edge's player page for an <iframe>. The link is in the
// fragment, which browsers send to no server. Of a URL that ends in a slash, the page plays
// master.m3u8.
func EmbedURL(url string, options Options) (string, error) {
	parts, err := splitURL(url)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(parts.path, "/") {
		if url, err = parts.beside("master.m3u8"); err != nil {
			return "", err
		}
	}
	options.Use = Play
	link, err := Link(url, options)
	if err != nil {
		return "", err
	}
	return parts.origin + "/_lectern/play#" + link, nil
}

// PosterURL returns a link to the poster of a lecture, and to nothing else. The URL is that of the
// lecture's folder or of an object in it. The edge refuses it with MaxHeight, Preview or Langs.
func PosterURL(url string, options Options) (string, error) {
	parts, err := splitURL(url)
	if err != nil {
		return "", err
	}
	if err := options.refuseRestrictions(); err != nil {
		return "", err
	}
	return parts.linkBeside("poster.jpg", Play, options)
}

// DownloadURL returns a link to the download of a lecture, and to nothing else. Browsers save the
// file under the name, or under the name of the folder if it is empty. The edge refuses it with
// MaxHeight, Preview, Langs or Sessions.
func DownloadURL(url, name string, options Options) (string, error) {
	parts, err := splitURL(url)
	if err != nil {
		return "", err
	}
	if err := options.refuseRestrictions(); err != nil {
		return "", err
	}
	if options.Sessions != 0 {
		return "", refuseOption("Sessions")
	}
	encoded, err := encodeName(name)
	if err != nil {
		return "", err
	}
	parts.query = putMember(parts.query, "download", encoded)
	return parts.linkBeside("lecture.mp4", Download, options)
}

func (p parts) linkBeside(name string, use Use, options Options) (string, error) {
	url, err := p.beside(name)
	if err != nil {
		return "", err
	}
	options.Use, options.Directory = use, false
	return Link(url, options)
}

// Mint returns a token with these claims.
func Mint(claims Claims, edge Edge) (string, error) {
	ring, err := readKeys(edge.Keys)
	if err != nil {
		return "", err
	}
	checks := []func() error{edge.check, claims.check, claims.checkTarget}
	for _, check := range checks {
		if err := check(); err != nil {
			return "", err
		}
	}
	if err := edge.checkExpiry(claims.Exp); err != nil {
		return "", err
	}
	if most := seconds(or(edge.MaxWatch, MaxWatch)); claims.Watch > most {
		return "", fail("watch_too_long",
			"`watch` is %d seconds; the edge allows %d at most (MAX_WATCH)", claims.Watch, most)
	}
	header := `{"alg":"HS256","typ":"JWT","kid":` + quote(ring[0].kid) + `}`
	signed := encode([]byte(header)) + "." + encode([]byte(claims.json()))
	token := signed + "." + encode(mac(ring[0].secret, signed))
	if len(token) > MaxLinkBytes {
		return "", fail("link_too_long", "the link is longer than %d bytes", MaxLinkBytes)
	}
	return token, nil
}

// KeyIDs returns the ids of the keys, the signing key first, as the edge's /_lectern/health lists
// them. Empty keys default to LECTERN_KEYS of the environment. Call it when the app starts.
func KeyIDs(keys string) ([]string, error) {
	ring, err := readKeys(keys)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(ring))
	for at, key := range ring {
		ids[at] = key.kid
	}
	return ids, nil
}
