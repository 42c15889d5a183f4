package evidencefile

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/cosmos/gogoproto/jsonpb"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phala-go/phala/core/attest/dcap"
	"github.com/phala-go/phala/core/wire"
)

// members are those of a JSON object, by their exact names.
type members map[string]json.RawMessage

func (m members) has(names ...string) bool {
	for _, n := range names {
		if _, ok := m[n]; !ok {
			return false
		}
	}
	return true
}

// readMembers refuses names that stand twice, at any depth: two readers could take either.
func readMembers(b []byte) (members, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := unique(d, "", 0); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, malformed("JSON", "something behind its end", "one object")
	}
	var m members
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, malformed("JSON", err.Error(), "one object")
	}
	return m, nil
}

const maxDepth = 16

func unique(d *json.Decoder, path string, depth int) error {
	t, err := d.Token()
	if err != nil {
		return malformed("JSON", err.Error(), "one object")
	}
	if depth > maxDepth {
		return malformed("JSON", "nested deeper than 16", "less")
	}
	switch t {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return malformed("JSON", err.Error(), "one object")
			}
			name, _ := k.(string)
			if seen[name] {
				return malformed(path+name, "twice", "each member once")
			}
			seen[name] = true
			if err := unique(d, path+name+".", depth+1); err != nil {
				return err
			}
		}
	case json.Delim('['):
		for d.More() {
			if err := unique(d, path, depth+1); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = d.Token()
	if err != nil {
		return malformed("JSON", err.Error(), "one object")
	}
	return nil
}

// shape is a JSON file that is told by its members.
type shape struct {
	name    string
	members []string
	read    func([]byte, members) (*File, error)
}

func shapes() []shape {
	return []shape{
		{"recorded case", []string{"quote_hex"}, readCase},
		{"dstack quote", []string{"quote", "event_log"}, readDstack},
		{"Azure evidence", []string{"hcl_report", "tpm_quote"}, readAzure},
		{"TPM evidence", []string{"ak_public", "tpm_quote"}, readTPMEvidence},
		{"Azure evidence of old", []string{"report", "quote"}, readAzureOld},
		{"TPM quote (JSON)", []string{"message", "signature", "pcrs"}, readTPMJSON},
		{"worker's evidence (JSON)", []string{"identity", "evidence"}, readWorkerJSON},
		{"worker's evidence from a node", []string{"evidence"}, readNodeJSON},
		{"evidence (JSON)", []string{"kind", "quote"}, readEvidenceJSON},
	}
}

func readJSON(b []byte) (*File, error) {
	m, err := readMembers(b)
	if err != nil {
		return nil, err
	}
	u := &Unknown{Size: len(b)}
	for _, s := range shapes() {
		if !m.has(s.members...) {
			u.Tried = append(u.Tried, fmt.Sprintf("%s {%s}", s.name, strings.Join(s.members, ", ")))
			continue
		}
		f, err := s.read(b, m)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", s.name, err)
		}
		if f.Format == "" {
			f.Format = s.name
		}
		return f, nil
	}
	return nil, u
}

func readCase(b []byte, _ members) (*File, error) {
	r, err := dcap.ParseRecorded(b)
	if err != nil {
		return nil, err
	}
	f := &File{Evidence: intel(r.Quote), At: r.At}
	return f, f.addIntel(r.Collateral)
}

// blob is a byte string in any of the ways in which such files have them: hexadecimal, base64 of either alphabet, or a list of numbers.
type blob []byte

// UnmarshalJSON decodes it.
func (x *blob) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var list []uint8Number
		if err := json.Unmarshal(b, &list); err != nil {
			return err
		}
		for _, n := range list {
			*x = append(*x, byte(n))
		}
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if strings.HasPrefix(s, "-----BEGIN") {
		*x = blob(s)
		return nil
	}
	if raw, err := hex.DecodeString(strings.TrimPrefix(s, "0x")); err == nil {
		*x = raw
		return nil
	}
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	raw, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return fmt.Errorf("neither hexadecimal nor base64: %w", err)
	}
	*x = raw
	return nil
}

// uint8Number is a byte as a number; as a []uint8 encoding/json would want base64.
type uint8Number uint8

func decode(raw json.RawMessage, what string, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("reading %s: %w", what, err)
	}
	return nil
}

func fromJSON(b []byte, m proto.Message) error {
	return (&jsonpb.Unmarshaler{}).Unmarshal(bytes.NewReader(b), m)
}

func readWorkerJSON(b []byte, _ members) (*File, error) {
	w := &wire.WorkerEvidence{}
	if err := fromJSON(b, w); err != nil {
		return nil, err
	}
	return &File{Evidence: w.Evidence, Worker: w}, nil
}

// readNodeJSON reads the answer of a node's REST interface.
func readNodeJSON(b []byte, m members) (*File, error) {
	inner, err := readMembers(m["evidence"])
	if err != nil {
		return nil, err
	}
	if !inner.has("identity", "evidence") {
		return nil, malformed("evidence", "something else", "identity and evidence of a worker")
	}
	return readWorkerJSON(m["evidence"], inner)
}

func readEvidenceJSON(b []byte, _ members) (*File, error) {
	e := &wire.Evidence{}
	if err := fromJSON(b, e); err != nil {
		return nil, err
	}
	return &File{Evidence: e}, nil
}
