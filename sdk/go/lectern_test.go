package lectern

// ../vectors.json, and cases that JSON cannot express.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

type vector struct {
	Name       string
	Call       string
	URL        string
	Options    map[string]json.RawMessage
	Claims     json.RawMessage
	Now        int64
	MaxLinkAge int64 `json:"max_link_age"`
	MaxWatch   int64 `json:"max_watch"`
	Token      string
	Link       string
	Keys       string
	Error      string
}

type vectors struct {
	Keys          string
	Mint          []vector
	Link          []vector
	Embed         []vector
	Verify        []vector
	RefusedClaims []vector `json:"refused_claims"`
	RefusedLinks  []vector `json:"refused_links"`
	RefusedTokens []vector `json:"refused_tokens"`
	RefusedKeys   []vector `json:"refused_keys"`
}

func load(t *testing.T) (all vectors) {
	t.Helper()
	text, err := os.ReadFile("../vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (all vectors) edge(v vector) Edge {
	return Edge{Keys: all.Keys, Now: time.Unix(v.Now, 0), MaxLinkAge: time.Duration(v.MaxLinkAge) * time.Second}
}

// Sets the options of a vector on the edge. Returns false if Go's types cannot express them.
func asked(v vector, edge *Edge) bool {
	for name, raw := range v.Options {
		var seconds int64
		var err error
		switch name {
		case "keys":
			err = json.Unmarshal(raw, &edge.Keys)
		case "now":
			err = json.Unmarshal(raw, &seconds)
			edge.Now = time.Unix(seconds, 0)
		case "max_link_age":
			err = json.Unmarshal(raw, &seconds)
			edge.MaxLinkAge = time.Duration(seconds) * time.Second
		case "max_watch":
			err = json.Unmarshal(raw, &seconds)
			edge.MaxWatch = time.Duration(seconds) * time.Second
		}
		if err != nil {
			return false
		}
	}
	return true
}

// Claims of a vector. Returns false if Go's types cannot express them.
func claims(t *testing.T, v vector) (claims Claims, ok bool) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(v.Claims))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&claims) != nil {
		return claims, false
	}
	// A zero value is not set. An array of Go takes a list of any length.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(v.Claims, &members); err != nil {
		t.Fatal(err)
	}
	if members["exp"] == nil {
		return claims, false
	}
	for name, member := range members {
		var list []json.RawMessage
		if string(member) == `""` && name != "path" || string(member) == "0" {
			return claims, false
		}
		if name == "preview" && (json.Unmarshal(member, &list) != nil || len(list) != 2) {
			return claims, false
		}
	}
	return claims, true
}

// Calls what a vector asks for. Returns false if Go's types cannot express it.
func (all vectors) call(v vector) (string, error, bool) {
	options := Options{Edge: all.edge(v)}
	var downloaded string
	if !asked(v, &options.Edge) {
		return "", nil, false
	}
	for name, raw := range v.Options {
		var seconds int64
		var err error
		read := func(into any) { err = json.Unmarshal(raw, into) }
		switch name {
		case "viewer":
			read(&options.Viewer)
			if options.Viewer == "" {
				return "", nil, false
			}
		case "expires_in":
			read(&seconds)
			options.ExpiresIn = time.Duration(seconds) * time.Second
			if seconds == 0 {
				options.ExpiresAt = options.Now
			}
		case "expires_at":
			read(&seconds)
			options.ExpiresAt = time.Unix(seconds, 0)
		case "not_before":
			read(&seconds)
			options.NotBefore = time.Unix(seconds, 0)
		case "watch":
			read(&seconds)
			options.Watch = time.Duration(seconds) * time.Second
		case "max_height":
			read(&options.MaxHeight)
		case "preview":
			read(&options.Preview)
		case "langs":
			read(&options.Langs)
		case "ip":
			read(&options.IP)
		case "country":
			read(&options.Country)
		case "origin":
			read(&options.Origin)
		case "jti":
			read(&options.JTI)
		case "sessions":
			read(&options.Sessions)
		case "sessions_policy":
			read(&options.SessionsPolicy)
		case "strict":
			read(&options.Strict)
		case "watermark":
			read(&options.Watermark)
		case "offline":
			read(&seconds)
			options.Offline = time.Duration(seconds) * time.Second
		case "max_bytes":
			read(&options.MaxBytes)
		case "max_objects":
			read(&options.MaxObjects)
		case "types":
			read(&options.Types)
		case "use":
			read(&options.Use)
		case "directory":
			read(&options.Directory)
		case "name":
			read(&downloaded)
		case "keys", "now", "max_link_age", "max_watch":
			// Of the edge.
		default:
			panic(name)
		}
		if err != nil {
			return "", nil, false
		}
	}
	calls := map[string]func(string, Options) (string, error){
		"link": Link, "upload_link": UploadLink, "embed_url": EmbedURL, "poster_url": PosterURL,
		"download_url": func(url string, options Options) (string, error) {
			return DownloadURL(url, downloaded, options)
		},
	}
	link, err := calls[v.Call](v.URL, options)
	return link, err, true
}

func refused(t *testing.T, v vector, found any, err error) {
	t.Helper()
	var refusal *Error
	switch {
	case err == nil:
		t.Errorf("%s: accepted: %v", v.Name, found)
	case !errors.As(err, &refusal):
		t.Errorf("%s: %v", v.Name, err)
	case refusal.Code != v.Error || refusal.Message == "":
		t.Errorf("%s: %s (%s), not %s", v.Name, refusal.Code, refusal.Message, v.Error)
	}
}

func TestMintReturnsTheTokenOfTheEdge(t *testing.T) {
	all := load(t)
	for _, v := range all.Mint {
		claims, ok := claims(t, v)
		if !ok {
			t.Fatalf("%s: Go cannot express it", v.Name)
		}
		if v.MaxWatch != 0 {
			// Exceeds the longest duration of Go.
			continue
		}
		token, err := Mint(claims, all.edge(v))
		if token != v.Token || err != nil {
			t.Errorf("%s: %s, not %s (%v)", v.Name, token, v.Token, err)
		}
	}
}

func TestLinkReturnsTheLinkOfTheEdge(t *testing.T) {
	all := load(t)
	for _, v := range all.Link {
		link, err, ok := all.call(v)
		if link != v.Link || err != nil || !ok {
			t.Errorf("%s: %s, not %s (%v)", v.Name, link, v.Link, err)
		}
		if _, err := Verify(v.Link, "", all.edge(v)); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

func TestEmbedURLReturnsThePageOfTheEdge(t *testing.T) {
	all := load(t)
	for _, v := range all.Embed {
		link, err, ok := all.call(v)
		if link != v.Link || err != nil || !ok {
			t.Errorf("%s: %s, not %s (%v)", v.Name, link, v.Link, err)
		}
	}
}

func TestVerifyReturnsTheClaimsOfAToken(t *testing.T) {
	all := load(t)
	for _, v := range all.Verify {
		expected, _ := claims(t, v)
		if expected.Use == "" {
			expected.Use = Play
		}
		found, err := Verify(v.Token, v.URL, all.edge(v))
		if !reflect.DeepEqual(found, expected) || err != nil {
			t.Errorf("%s: %+v, not %+v (%v)", v.Name, found, expected, err)
		}
	}
}

func TestMintRefusesClaimsThatOpenNothing(t *testing.T) {
	all := load(t)
	tested := 0
	for _, v := range all.RefusedClaims {
		if claims, ok := claims(t, v); ok {
			token, err := Mint(claims, all.edge(v))
			refused(t, v, token, err)
			tested++
		}
	}
	if tested < 80 {
		t.Errorf("only %d of %d can be expressed in Go", tested, len(all.RefusedClaims))
	}
}

func TestLinkRefusesAWrongURL(t *testing.T) {
	all := load(t)
	tested := 0
	for _, v := range all.RefusedLinks {
		if link, err, ok := all.call(v); ok {
			refused(t, v, link, err)
			tested++
		}
	}
	if tested < 40 {
		t.Errorf("only %d of %d can be expressed in Go", tested, len(all.RefusedLinks))
	}
}

func TestVerifyRefusesATokenThatOpensNothing(t *testing.T) {
	all := load(t)
	tested := 0
	for _, v := range all.RefusedTokens {
		edge := all.edge(v)
		if asked(v, &edge) {
			claims, err := Verify(v.Token, v.URL, edge)
			refused(t, v, claims, err)
			tested++
		}
	}
	if tested < 110 {
		t.Errorf("only %d of %d can be expressed in Go", tested, len(all.RefusedTokens))
	}
}

func TestKeyIDsRefusesWrongKeys(t *testing.T) {
	all := load(t)
	for _, v := range all.RefusedKeys {
		ids, err := KeyIDs(v.Keys)
		refused(t, v, ids, err)
	}
	t.Setenv("LECTERN_KEYS", "")
	ids, err := KeyIDs("")
	refused(t, vector{Name: "no keys", Error: "no_keys"}, ids, err)
	t.Setenv("LECTERN_KEYS", all.Keys)
	if ids, err := KeyIDs(""); err != nil || !reflect.DeepEqual(ids, []string{"2026-11", "old._-"}) {
		t.Errorf("%v (%v)", ids, err)
	}
}

func TestTextMustBeUTF8(t *testing.T) {
	edge := Edge{Keys: load(t).Keys, Now: time.Unix(0, 0)}
	for code, claims := range map[string]Claims{
		"bad_sub":       {Path: "/a", Exp: 60, Sub: "\xff"},
		"path_not_utf8": {Path: "/\xff", Exp: 60},
	} {
		token, err := Mint(claims, edge)
		refused(t, vector{Name: code, Error: code}, token, err)
	}
	link, err := Link("https://h/\xff", Options{Edge: edge})
	refused(t, vector{Name: "bad_url", Error: "bad_url"}, link, err)
}

func TestADurationWithoutItsUnitIsRefused(t *testing.T) {
	edge := Edge{Keys: load(t).Keys, Now: time.Unix(1_800_000_000, 0)}
	for _, duration := range []time.Duration{7200, 3600, 1, -1, -900 * time.Millisecond, 900 * time.Millisecond, time.Second - 1} {
		for code, options := range map[string]Options{
			"bad_watch": {Watch: duration, Edge: edge},
			"bad_exp":   {ExpiresIn: duration, Edge: edge},
		} {
			link, err := Link("https://h/a/", options)
			refused(t, vector{Name: duration.String(), Error: code}, link, err)
			upload, err := UploadLink("https://h/a/", options)
			refused(t, vector{Name: duration.String(), Error: code}, upload, err)
			if err == nil || !strings.Contains(err.Error(), "time.Second") {
				t.Errorf("%v: %v", duration, err)
			}
		}
		for _, wrong := range []Edge{
			{Keys: edge.Keys, Now: edge.Now, MaxLinkAge: duration},
			{Keys: edge.Keys, Now: edge.Now, MaxWatch: duration},
		} {
			link, err := Link("https://h/a/", Options{Edge: wrong})
			refused(t, vector{Name: duration.String(), Error: "bad_option"}, link, err)
			claims, err := Verify("a.b.c", "", wrong)
			refused(t, vector{Name: duration.String(), Error: "bad_option"}, claims, err)
		}
	}
	_, err := Link("https://h/a/", Options{Watch: 7200, Edge: edge})
	if want := "`Watch` is 7.2µs, less than a second: a time.Duration counts nanoseconds, so multiply seconds by time.Second"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	link, err := Link("https://h/a/", Options{Watch: 1500 * time.Millisecond, ExpiresIn: time.Second, Edge: edge})
	if claims, wrong := Verify(link, "", edge); err != nil || wrong != nil || claims.Watch != 1 || claims.Exp != 1_800_000_001 {
		t.Errorf("%+v (%v, %v)", claims, err, wrong)
	}
}

func TestKeysAreNotPrinted(t *testing.T) {
	secret := "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"
	options := Options{Viewer: "s42", Watch: time.Hour, Edge: Edge{Keys: secret, MaxWatch: 90 * time.Minute}}
	type nested struct{ Options Options }
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10v"} {
		for _, value := range []any{options, &options, options.Edge, &options.Edge, nested{options}, []Edge{options.Edge}, map[string]any{"a": options}} {
			said := fmt.Sprintf(format, value)
			if strings.Contains(said, secret) || strings.Contains(said, fmt.Sprintf("%x", secret)) || strings.Contains(said, secret[:12]) {
				t.Errorf("%s of %T: %s", format, value, said)
			}
		}
	}
	if said := fmt.Sprintf("%+v", options); !strings.Contains(said, "Viewer:s42") || !strings.Contains(said, "MaxWatch:1h30m0s") || !strings.Contains(said, "Keys:…") {
		t.Error(said)
	}
	if said, err := json.Marshal(options); err != nil || strings.Contains(string(said), secret) {
		t.Errorf("%s (%v)", said, err)
	}
}
