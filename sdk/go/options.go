package lectern

import (
	"fmt"
	"reflect"
	"time"
)

// Edge is the edge that links are for.
type Edge struct {
	// Keys is the edge's LECTERN_KEYS. It defaults to LECTERN_KEYS of the environment.
	Keys string `json:"-"`
	// Now is the current time. It defaults to the clock's.
	Now time.Time
	// MaxLinkAge and MaxWatch are the edge's. They default to the constants of the same names.
	MaxLinkAge time.Duration
	MaxWatch   time.Duration
}

// Format prints an Edge without its keys.
func (e Edge) Format(state fmt.State, verb rune) {
	type plain Edge // Has no Format method.
	if e.Keys != "" {
		e.Keys = "…"
	}
	fmt.Fprintf(state, formatOf(state, verb), plain(e))
}

// Options are the options of a link. Durations are cut to whole seconds. A duration below a second
// is refused, because it is a number without time.Second.
type Options struct {
	// Viewer is the id of the viewer. The edge does not interpret it.
	Viewer string
	// ExpiresIn is the lifetime. It defaults to the constant ExpiresIn, unless ExpiresAt is set.
	ExpiresIn time.Duration
	ExpiresAt time.Time
	NotBefore time.Time
	// Watch is how long a lecture plays after a viewer opens it.
	Watch time.Duration
	// MaxHeight is the largest Variant Stream to list, in lines of the shorter side.
	MaxHeight uint32
	// Preview is from and to in seconds. The edge lists the Media Segments that touch them.
	Preview *[2]uint32
	// Langs are the audio and subtitles to list, as BCP 47 ranges.
	Langs []string
	// IP are addresses or ranges that may open the link: "192.0.2.0/24".
	IP []string
	// Country are ISO 3166 codes of countries that may open the link.
	Country []string
	// Origin are origins of pages that may open the link: "https://*.school.example".
	Origin []string
	// JTI is the id of the link.
	JTI string
	// Watermark is a text that the player page shows over the video, 1 to 100 characters.
	Watermark string
	// Sessions is the number of players that the viewer may use at once, 1 to 255.
	Sessions uint32
	// SessionsPolicy says which player wins when there are more. It defaults to Newest.
	SessionsPolicy SessionsPolicy
	// Strict lets URLs end after a minute, and players renew them.
	Strict bool
	// Offline is how long the player page may keep the lecture on the device, at most 30 days.
	Offline time.Duration
	// MaxBytes and MaxObjects bound what upload links with this JTI store in all.
	MaxBytes   int64
	MaxObjects uint32
	// Types are the kinds of files that an upload link takes: "video", "audio", "image",
	// "captions", "hls".
	Types []string
	Use   Use
	// Directory opens the folder of the URL's object. A URL that ends in a slash is a folder.
	Directory bool
	Edge
}

// Refuses options with which the edge opens no single object.
func (o Options) refuseRestrictions() error {
	switch {
	case o.MaxHeight != 0:
		return refuseOption("MaxHeight")
	case o.Preview != nil:
		return refuseOption("Preview")
	case o.Langs != nil:
		return refuseOption("Langs")
	}
	return nil
}

func refuseOption(name string) error {
	return fail("bad_option",
		"the edge refuses a link to this object with `%s`: leave it out", name)
}

// Format prints Options without the keys of their Edge.
func (o Options) Format(state fmt.State, verb rune) {
	// Prints each field, because the Edge's method would print only the Edge.
	fields := reflect.ValueOf(o)
	for at := 0; at < fields.NumField(); at++ {
		before := map[bool]string{true: "{", false: " "}[at == 0]
		format := before + fields.Type().Field(at).Name + ":" + formatOf(state, verb)
		fmt.Fprintf(state, format, fields.Field(at).Interface())
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

// Refuses a time or a bound that is none.
func (e Edge) check() error {
	if e.now() < 0 {
		return fail("bad_option", "`Now` must be a time since 1970")
	}
	for _, bound := range []struct {
		name     string
		duration time.Duration
	}{{"MaxLinkAge", e.MaxLinkAge}, {"MaxWatch", e.MaxWatch}} {
		if isTooShort(bound.duration) {
			return fail("bad_option", tooShort, bound.name, bound.duration)
		}
		if bound.duration < 0 {
			return fail("bad_option", "`%s` must not be negative", bound.name)
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
		return fail("expired", "the link expired at %d; the time is %d", exp, now)
	}
	if exp-now > most {
		return fail("exp_too_far",
			"the link expires more than %d seconds from now (MAX_LINK_AGE)", most)
	}
	return nil
}

// A number without time.Second counts nanoseconds.
func isTooShort(duration time.Duration) bool {
	return duration != 0 && duration > -time.Second && duration < time.Second
}

const tooShort = "`%s` is %v, less than a second: a time.Duration counts nanoseconds, so " +
	"multiply seconds by time.Second"

func seconds(duration time.Duration) int64 { return int64(duration / time.Second) }

func or(duration, unset time.Duration) time.Duration {
	if duration == 0 {
		return unset
	}
	return duration
}
