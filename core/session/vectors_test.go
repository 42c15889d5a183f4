package session

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/phala-go/phala/core/wire"
)

var update = flag.Bool("update", false, "record the vectors anew, with another envelope")

// vectors is testdata/vectors.json: bytes in hexadecimal.
type vectors struct {
	InputKeySeed string `json:"input_key_seed"` // of HPKE's DeriveKeyPair
	ChainID      string `json:"chain_id"`
	Cluster      uint64 `json:"cluster"`
	Epoch        uint64 `json:"epoch"`
	Roster       uint64 `json:"roster"`

	Opening    string `json:"opening"` // SessionOpening
	Enc        string `json:"enc"`
	Ciphertext string `json:"ciphertext"`
	ID         string `json:"session"`
	Salt       string `json:"salt"`

	Messages []message `json:"messages"`
}

type message struct {
	Direction  string `json:"direction"` // request or reply
	Counter    uint64 `json:"counter"`
	Plaintext  string `json:"plaintext"`
	Ciphertext string `json:"ciphertext"`
}

const vectorFile = "testdata/vectors.json"

// All that is derived from the recorded envelope is what docs/spec/session.md says.
func TestVectors(t *testing.T) {
	if *update {
		record(t)
	}
	file, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	sk := key(t, 1)
	if v.InputKeySeed != hex.EncodeToString(bytes.Repeat([]byte{1}, 32)) || v.ChainID != at.ChainID || v.Cluster != at.Cluster || v.Epoch != at.Epoch || v.Roster != at.Roster {
		t.Fatalf("the vectors are of another cluster: %+v", v)
	}
	e := &wire.Envelope{Suite: 1, Enc: unhex(t, v.Enc), Ciphertext: unhex(t, v.Ciphertext)}
	o, s, err := Open(sk, at, e)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(wire.Marshal(o)); got != v.Opening {
		t.Errorf("opening %s, want %s", got, v.Opening)
	}
	if got := IDOf(e).String(); got != v.ID {
		t.Errorf("session %s, want %s", got, v.ID)
	}
	k, err := s.Keys(Query, unhex(t, v.Salt))
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Messages) != 3 {
		t.Fatalf("%d messages, want 3", len(v.Messages))
	}
	for _, m := range v.Messages {
		seal := map[string]func(uint64, []byte) ([]byte, error){"request": k.SealRequest, "reply": k.SealReply}[m.Direction]
		got, err := seal(m.Counter, unhex(t, m.Plaintext))
		if err != nil || hex.EncodeToString(got) != m.Ciphertext {
			t.Errorf("%s %d is %x (%v), want %s", m.Direction, m.Counter, got, err, m.Ciphertext)
		}
	}
}

func record(t *testing.T) {
	t.Helper()
	o := &wire.SessionOpening{Expires: 1800}
	e, s, err := Seal(key(t, 1).PublicKey(), at, o)
	if err != nil {
		t.Fatal(err)
	}
	salt := bytes.Repeat([]byte{9}, SaltSize)
	k, err := s.Keys(Query, salt)
	if err != nil {
		t.Fatal(err)
	}
	v := vectors{
		InputKeySeed: hex.EncodeToString(bytes.Repeat([]byte{1}, 32)), ChainID: at.ChainID, Cluster: at.Cluster, Epoch: at.Epoch, Roster: at.Roster,
		Opening: hex.EncodeToString(wire.Marshal(o)), Enc: hex.EncodeToString(e.Enc), Ciphertext: hex.EncodeToString(e.Ciphertext), ID: IDOf(e).String(), Salt: hex.EncodeToString(salt),
	}
	accepted := wire.Marshal(&wire.SessionAccepted{Cluster: 1, Height: 40})
	request := wire.Marshal(&wire.QueryRequest{Contract: bytes.Repeat([]byte{7}, 32), Msg: []byte(`{"token_info":{}}`), MinHeight: 40})
	reply := wire.Marshal(&wire.QueryReply{Cluster: 1, Height: 41, Number: 5, Data: []byte(`{}`)})
	for _, m := range []struct {
		direction string
		seal      func(uint64, []byte) ([]byte, error)
		counter   uint64
		plain     []byte
	}{{"reply", k.SealReply, 0, accepted}, {"request", k.SealRequest, 1, request}, {"reply", k.SealReply, 1, reply}} {
		ct, err := m.seal(m.counter, m.plain)
		if err != nil {
			t.Fatal(err)
		}
		v.Messages = append(v.Messages, message{m.direction, m.counter, hex.EncodeToString(m.plain), hex.EncodeToString(ct)})
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorFile, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
