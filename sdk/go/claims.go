package lectern

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxSafeInteger = 1<<53 - 1

// Claims are the claims of a link. Durations are seconds, instants seconds since 1970.
type Claims struct {
	// Path is an object, or a folder with its slash, decoded: "/courses/rails/".
	Path string `json:"path"`
	Exp  int64  `json:"exp"`
	Nbf  int64  `json:"nbf"`
	Iat  int64  `json:"iat"`
	Use  Use    `json:"use"`
	Sub  string `json:"sub"`
	Jti  string `json:"jti"`
	// Watermark is a text that the player page shows over the video, 1 to 100 characters.
	Watermark string     `json:"watermark"`
	Watch     int64      `json:"watch"`
	MaxHeight uint32     `json:"max_height"`
	Preview   *[2]uint32 `json:"preview"`
	Langs     []string   `json:"langs"`
	IP        []string   `json:"ip"`
	Country   []string   `json:"country"`
	Origin    []string   `json:"origin"`
	// Sessions is the number of players that the viewer may use at once. It needs Sub.
	Sessions uint32 `json:"sessions"`
	// SessionsPolicy says which player wins when there are more.
	SessionsPolicy SessionsPolicy `json:"sessions_policy"`
	// Strict lets URLs end after a minute, and players renew them.
	Strict bool `json:"strict"`
	// Offline is for how many seconds the player page may keep the lecture on the device. It
	// excludes Sessions and Strict.
	Offline int64 `json:"offline"`
	// MaxBytes is the number of bytes that upload links with this Jti may store in all.
	MaxBytes int64 `json:"max_bytes"`
	// MaxObjects is the number of objects that upload links with this Jti may write in all.
	MaxObjects uint32 `json:"max_objects"`
	// Types are the kinds of files that an upload link takes: "video", "audio", "image",
	// "captions", "hls".
	Types []string `json:"types"`
}

// The most objects to which an upload link may be limited.
const maxObjects = 100_000

// The longest time for which a device may keep a lecture, in seconds.
const maxOffline = 30 * 24 * 3600

var extension = regexp.MustCompile(`\.([A-Za-z0-9]+)$`)

// Extensions of objects that are not playlists.
const media = " m4s mp4 cmfv m4v m4a cmfa ts aac mp3 webm mov mkv vtt mpd json jpg jpeg png " +
	"webp avif gif "

// Refuses claims that are well-formed and open nothing.
func (c *Claims) checkTarget() error {
	isReserved := strings.HasPrefix(c.Path, "/_lectern/") && c.Use != Admin
	if isReserved || strings.HasPrefix(c.Path, "/~") {
		return badPath("path_reserved")
	}
	if strings.Count(c.Path, "/") > 256 {
		return badPath("path_too_deep")
	}
	if c.MaxHeight == 0 && c.Preview == nil && c.Langs == nil || c.Use == Upload {
		return nil
	}
	found := extension.FindStringSubmatch(c.Path)
	if found != nil && strings.Contains(media, " "+strings.ToLower(found[1])+" ") {
		return fail("path_not_a_playlist", "MaxHeight, Preview and Langs need a playlist: link to "+
			"the `.m3u8`, or to its folder")
	}
	return nil
}

// Rules of claims, by name.
var rules = map[string]string{
	"path":       "",
	"exp":        "`exp` (ExpiresIn, ExpiresAt) must be a whole number of seconds since 1970",
	"nbf":        "`nbf` (NotBefore) must be a whole number of seconds since 1970",
	"iat":        "`iat` must be a whole number of seconds since 1970",
	"use":        "`use` must be `play`, `download`, `upload` or `admin`",
	"sub":        "`sub` (Viewer) must be a text of 1 to 256 bytes",
	"jti":        "`jti` must be a text of 1 to 256 bytes",
	"watermark":  "`watermark` must be a text of 1 to 100 characters",
	"watch":      "`watch` must be a whole number of seconds, at least 1",
	"max_height": "`max_height` (MaxHeight) must be a whole number of lines, at least 1",
	"preview":    "`preview` must be from and to in whole seconds, with from before to",
	"langs":      "`langs` must be a list of 1 to 32 BCP 47 tags such as `en` or `pt-BR`",
	"ip": "`ip` must be a list of 1 to 32 ranges such as `192.0.2.0/24`, without bits after " +
		"the prefix",
	"country":  "`country` must be a list of 1 to 32 ISO 3166 codes such as `DE`",
	"origin":   "`origin` must be a list of 1 to 32 origins such as `https://*.school.example`",
	"sessions": "`sessions` must be a whole number from 1 to 255, and needs `sub` (Viewer)",
	"sessions_policy": "`sessions_policy` (SessionsPolicy) must be `newest` or `oldest`, and " +
		"needs `sessions`",
	"strict": "`strict` must be true or false",
	"offline": "`offline` must be a whole number of seconds from 1 to 2592000, and excludes " +
		"`sessions` and `strict`",
	"max_bytes": "`max_bytes` must be a whole number of bytes, at least 1, of an upload link with " +
		"`jti`",
	"max_objects": "`max_objects` must be a whole number from 1 to 100000, of an upload link with " +
		"`jti`",
	"types": "`types` must be a list of `video`, `audio`, `image`, `captions` and `hls`, of an " +
		"upload link",
}

func (u Use) isKnown() bool {
	return u == "" || u == Play || u == Download || u == Upload || u == Admin
}

// Checks each claim, and writes it as the edge does.
func (c *Claims) check() error {
	if err := checkPath(c.Path); err != nil {
		return err
	}
	instant := func(value int64) bool { return value >= 0 && value <= maxSafeInteger }
	name := func(value string) bool { return len(value) <= 256 && utf8.ValidString(value) }
	isCounted := c.Use == Upload && c.Jti != ""
	isShort := utf8.RuneCountInString(c.Watermark) <= 100
	for _, claim := range []struct {
		name string
		ok   bool
	}{
		{"exp", instant(c.Exp)},
		{"nbf", instant(c.Nbf)},
		{"iat", instant(c.Iat)},
		{"use", c.Use.isKnown()},
		{"sub", name(c.Sub)},
		{"jti", name(c.Jti)},
		{"watermark", isShort && utf8.ValidString(c.Watermark)},
		{"watch", instant(c.Watch)},
		{"preview", c.Preview == nil || c.Preview[0] < c.Preview[1]},
		{"langs", readList(&c.Langs, readLang)},
		{"ip", readList(&c.IP, readCIDR)},
		{"country", readList(&c.Country, readCountry)},
		{"origin", readList(&c.Origin, readOrigin)},
		{"sessions", c.Sessions == 0 || c.Sessions <= 255 && c.Sub != ""},
		{"sessions_policy", c.SessionsPolicy == "" ||
			(c.SessionsPolicy == Newest || c.SessionsPolicy == Oldest) && c.Sessions != 0},
		{"offline", c.Offline == 0 ||
			c.Offline >= 1 && c.Offline <= maxOffline && c.Sessions == 0 && !c.Strict},
		{"max_bytes", c.MaxBytes == 0 || instant(c.MaxBytes) && isCounted},
		{"max_objects", c.MaxObjects == 0 || c.MaxObjects <= maxObjects && isCounted},
		{"types", readList(&c.Types, readKind) && (c.Types == nil || c.Use == Upload)},
	} {
		if !claim.ok {
			return fail("bad_"+claim.name, "%s", rules[claim.name])
		}
	}
	return nil
}

func readList(values *[]string, read func(string) (string, bool)) bool {
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

func readLang(text string) (string, bool) { return text, langForm.MatchString(text) }

var kindForm = regexp.MustCompile(`^(video|audio|image|captions|hls)$`)

func readKind(text string) (string, bool) { return text, kindForm.MatchString(text) }

var countryForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]$`)

func readCountry(text string) (string, bool) {
	return strings.ToUpper(text), countryForm.MatchString(text)
}

var originForm = regexp.MustCompile(
	`^([A-Za-z0-9.:\[\]+-]+)://(\*\.[A-Za-z0-9.:\[\]+-]*|[A-Za-z0-9.:\[\]+-]+)$`)

func readOrigin(text string) (string, bool) {
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

// A range (RFC 4632, RFC 4291) in its shortest form. Refuses bits after the prefix, and IPv4
// written as IPv6.
func readCIDR(text string) (string, bool) {
	parts := cidrForm.FindStringSubmatch(text)
	// RFC 4291 §2.2 allows one to four digits. netip accepts more zeros before them.
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

// JSON of the claims, in the order of a token.
func (c *Claims) json() string {
	var json strings.Builder
	member := func(name, value string, isSet bool) {
		if isSet {
			json.WriteString(`,"` + name + `":` + value)
		}
	}
	number := func(name string, value int64) {
		member(name, strconv.FormatInt(value, 10), value != 0)
	}
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
	member("watermark", quote(c.Watermark), c.Watermark != "")
	number("watch", c.Watch)
	number("max_height", int64(c.MaxHeight))
	if c.Preview != nil {
		member("preview", fmt.Sprintf("[%d,%d]", c.Preview[0], c.Preview[1]), true)
	}
	texts("langs", c.Langs)
	texts("ip", c.IP)
	texts("country", c.Country)
	texts("origin", c.Origin)
	number("sessions", int64(c.Sessions))
	member("sessions_policy", quote(string(c.SessionsPolicy)), c.SessionsPolicy != "")
	member("strict", "true", c.Strict)
	number("offline", c.Offline)
	number("max_bytes", c.MaxBytes)
	number("max_objects", int64(c.MaxObjects))
	texts("types", c.Types)
	return json.String() + "}"
}

// Writes a string as the edge does. encoding/json also escapes `<`, `>`, `&` and two separators.
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
