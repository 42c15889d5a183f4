package calls

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/phala-go/phala/core/address"
	"github.com/phala-go/phala/core/wire"
)

// Admit decides whether caller, whose name is proven, may ask a contract msg:
// an account with a permit, or a contract of the same cluster. It ends in
// refusal.
func Admit(meta *wire.Contract, caller string, msg []byte) error {
	switch meta.Query {
	case wire.QUERY_POLICY_OPEN:
		return nil
	case wire.QUERY_POLICY_OWNER:
		if caller == meta.Creator {
			return nil
		}
		return Fail("query-denied", "ask the contract's creator", "this contract answers only to its creator")
	case wire.QUERY_POLICY_SELF:
		if other := othersNamed(msg, caller); other != "" {
			return Fail("query-denied", "ask about your own account, or with a permit of that account", "the query names %s, the permit is of %s", other, caller)
		}
		return nil
	}
	return Fail("query-denied", "deploy the contract with --query self, owner or open", "the contract has no query policy")
}

// exposes is whether a contract's policy lets asker see all of it: its raw state and what it has.
func exposes(meta *wire.Contract, asker string) bool {
	return asker == address.Encode(meta.Address) || meta.Query == wire.QUERY_POLICY_OPEN ||
		meta.Query == wire.QUERY_POLICY_OWNER && asker == meta.Creator
}

// othersNamed finds an address other than caller's anywhere in a JSON message: in values and keys, whatever stands around it, and
// in whichever case it is written. What is not JSON is refused as a whole.
func othersNamed(msg []byte, caller string) string {
	if !json.Valid(msg) { // the decoder below would take half a message
		return "something that is not JSON"
	}
	d := json.NewDecoder(bytes.NewReader(msg))
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			return "something that is not JSON"
		}
		s, ok := t.(string)
		if !ok {
			continue
		}
		s = strings.ToLower(s)
		for {
			i := strings.Index(s, address.Prefix+"1")
			if i < 0 {
				break
			}
			s = s[i:]
			end := strings.IndexFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
			if end < 0 {
				end = len(s)
			}
			if s[:end] != caller {
				if _, err := address.Decode(s[:end]); err == nil || len(s[:end]) > len(caller) {
					return s[:end]
				}
			}
			s = s[min(len(address.Prefix)+1, len(s)):]
		}
	}
}
