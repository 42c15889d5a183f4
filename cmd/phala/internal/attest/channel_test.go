package attest

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/phala-go/phala/core/attest"
	"github.com/phala-go/phala/core/attest/channel"
	"github.com/phala-go/phala/core/attest/claims"
	"github.com/phala-go/phala/core/wire"
)

func TestChannelWrongUse(t *testing.T) {
	const at = "127.0.0.1:1"
	for _, args := range [][]string{
		{"file", "--channel", at}, {"--channel", at, "--policy", "x"}, {"--channel", at, "--at", "now"}, {"--channel", at, "--log", "x"},
		{"--channel", at, "--role", "miner"}, {"--channel", at, "--worker", "pha1x"}, {"--channel", at, "--measurement", "xyz"}, {"--channel", at, "--nonce", "00"},
	} {
		if _, err := command(nil, false, append([]string{"verify"}, args...)...); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if _, err := command(nil, false, "verify", "--channel", at); err == nil || !strings.Contains(err.Error(), "no network in") {
		t.Errorf("without a chain: %v", err)
	}
}

// What is printed of whom one talks to, accepted or not, readable or not.
func TestChannelVerdict(t *testing.T) {
	w := worker()
	accepted := channel.Verdict{Certificate: &channel.Certificate{Evidence: w}}
	accepted.Verdict = attest.Verdict{Accepted: true, Kind: wire.TEE_KIND_SIMULATED, Claims: claims.Claims{Measurement: []byte{5}}}
	refused := accepted
	refused.Accepted, refused.Reasons = false, []claims.Reason{{Code: "other-identity", Field: "identity key", Got: "a\x1b[2J", Want: "b", Advice: "c"}}
	for name, c := range map[string]struct {
		v     channel.Verdict
		words []string
	}{
		"accepted":   {accepted, []string{"accepted  channel at host:1", "pha1operator/2", hex.EncodeToString(w.Identity.IdentityKey), "simulated"}},
		"refused":    {refused, []string{"refused  channel", "✗ other-identity identity key", "a?[2J", "want  b", "do    c"}},
		"unreadable": {channel.Verdict{Verdict: attest.Verdict{Reasons: []claims.Reason{{Code: "malformed-certificate"}}}}, []string{"refused", "malformed-certificate"}},
	} {
		var b strings.Builder
		v := describeChannel("host:1", c.v)
		v.write(&page{w: &b})
		for _, word := range c.words {
			if !strings.Contains(b.String(), word) {
				t.Errorf("%s: no %q in\n%s", name, word, b.String())
			}
		}
		raw, err := json.Marshal(v)
		var back struct {
			Accepted bool
			Reasons  []claims.Reason
			Channel  string
		}
		if err != nil || json.Unmarshal(raw, &back) != nil || back.Accepted != c.v.Accepted || back.Reasons == nil || back.Channel != "host:1" {
			t.Errorf("%s: %s, %v", name, raw, err)
		}
	}
}
