package lectern

import (
	"fmt"
	neturl "net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// RFC 3986. Go's (?i) would also match letters beyond ASCII.
var urlForm = regexp.MustCompile(`^([Hh][Tt][Tt][Pp][Ss]?://[^/?#\\\x00-\x20\x7f]+)(/[^?#]*|)` +
	`(\?[^#\x00-\x20\x7f]*)?(#[^\x00-\x20\x7f]*)?$`)

// Parts of a URL, as they are written. The fragment has its `#`.
type parts struct {
	origin, path, query, fragment string
}

func splitURL(url string) (parts, error) {
	found := urlForm.FindStringSubmatch(url)
	if found == nil || !utf8.ValidString(url) {
		return parts{}, fail("bad_url", "the URL does not start with http(s)://, or has a space "+
			"in its host, query or fragment")
	}
	return parts{found[1], found[2], strings.TrimPrefix(found[3], "?"), found[4]}, nil
}

// The URL with this token in place of any other.
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
	return url.String() + "?" + putMember(p.query, "token", token) + p.fragment
}

// The query in which a member has this value alone. An empty value removes the member.
func putMember(query, name, value string) string {
	var members []string
	if query != "" {
		for _, member := range strings.Split(query, "&") {
			if member != name && !strings.HasPrefix(member, name+"=") {
				members = append(members, member)
			}
		}
	}
	if value != "" {
		members = append(members, name+"="+value)
	}
	return strings.Join(members, "&")
}

// The URL of another object in the same folder, without a token.
func (p parts) beside(name string) (string, error) {
	if !strings.HasPrefix(p.path, "/") {
		return "", badPath("path_not_absolute")
	}
	query := putMember(p.query, "token", "")
	if query != "" {
		query = "?" + query
	}
	return p.origin + p.path[:strings.LastIndexByte(p.path, '/')+1] + name + query + p.fragment, nil
}

// The longest name of a download, in bytes. Encoded, it fits a query beside the longest link.
const maxNameBytes = 1024

// The name of a download, percent-encoded.
func encodeName(name string) (string, error) {
	if !utf8.ValidString(name) || len(name) > maxNameBytes {
		return "", fail("bad_option", "the name must be a text of %d bytes at most", maxNameBytes)
	}
	return strings.ReplaceAll(neturl.QueryEscape(name), "+", "%20"), nil
}

// Path that a link to this path of a URL opens, decoded once.
func readPath(encoded string, directory bool) (string, error) {
	path, err := decodePath(encoded)
	if err != nil || !directory {
		return path, err
	}
	path = path[:strings.LastIndexByte(path, '/')+1]
	return path, checkPath(path)
}

func decodePath(encoded string) (string, error) {
	if !strings.HasPrefix(encoded, "/") {
		return "", badPath("path_not_absolute")
	}
	path := make([]byte, 0, len(encoded))
	for at := 0; at < len(encoded); at++ {
		if encoded[at] != '%' {
			path = append(path, encoded[at])
			continue
		}
		if at+2 >= len(encoded) || !isHex(encoded[at+1]) || !isHex(encoded[at+2]) {
			return "", badPath("path_bad_escape")
		}
		decoded, _ := strconv.ParseUint(encoded[at+1:at+3], 16, 8)
		if decoded == '/' || decoded == '\\' {
			return "", badPath("path_encoded_separator")
		}
		path = append(path, byte(decoded))
		at += 2
	}
	return string(path), checkPath(string(path))
}

// Faults of a path, by code.
var faults = map[string]string{
	"path_not_absolute":      "does not start with a slash",
	"path_empty_segment":     "has an empty segment, or names the whole bucket",
	"path_dot_segment":       "has a `.` or `..` segment",
	"path_encoded_separator": "has an encoded slash or backslash",
	"path_backslash":         "has a backslash",
	"path_semicolon":         "has a semicolon",
	"path_control":           "has a control character",
	"path_bad_escape":        "has a percent sign without two hexadecimal digits",
	"path_encoded_twice":     "is percent-encoded twice",
	"path_not_utf8":          "is not UTF-8",
	"path_too_long":          "is longer than 1024 bytes",
	"path_too_deep":          "has more than 255 folders",
	"path_reserved":          "starts with `/~`, or with `/_lectern/` and is not for `admin`",
}

func badPath(code string) error {
	return fail(code, "the path %s; write `/folder/object`, or `/folder/` for everything in it",
		faults[code])
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

func isHex(char byte) bool {
	return char >= '0' && char <= '9' || char >= 'a' && char <= 'f' || char >= 'A' && char <= 'F'
}

func isAlphanumeric(char byte) bool {
	return char >= '0' && char <= '9' || char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z'
}
