package dcap

import "testing"

// Real is a recorded quote by its name.
type Real struct {
	Recorded
	Name string
}

// Evidence is the recorded cases of a folder, for tests outside the package.
func Evidence(t testing.TB, folder string) (out []Real) {
	for _, r := range evidence(t, folder) {
		out = append(out, Real{r.Recorded, r.name})
	}
	return out
}

// Parsers are the readers of what comes from outside, by name; each may refuse and must not panic.
var Parsers = map[string]func([]byte){
	"quote":    func(b []byte) { _, _ = parseQuote(b) },
	"tcbinfo":  func(b []byte) { _, _ = parseTCBInfo(b) },
	"identity": func(b []byte) { _, _ = parseQEIdentity(b) },
	"platform": func(b []byte) { _, _ = parsePlatform(b) },
	"pem":      func(b []byte) { _, _ = splitPEM(b, 3) },
}
