package schema

import (
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

type instantiate struct {
	Verifier    string `json:"verifier"`
	Beneficiary string `json:"beneficiary"`
}

type execute struct {
	Release       *release  `json:"release,omitempty"`
	CPULoop       *struct{} `json:"cpu_loop,omitempty"`
	StorageLoop   *struct{} `json:"storage_loop,omitempty"`
	MemoryLoop    *struct{} `json:"memory_loop,omitempty"`
	MessageLoop   *struct{} `json:"message_loop,omitempty"`
	AllocateLarge *pages    `json:"allocate_large_memory,omitempty"`
	Panic         *struct{} `json:"panic,omitempty"`
	UserErrors    *struct{} `json:"user_errors_in_api_calls,omitempty"`
}

type release struct {
	Denom string `json:"denom"`
}

type pages struct {
	Pages uint32 `json:"pages"`
}

type query struct {
	Verifier *struct{} `json:"verifier,omitempty"`
	Recurse  *recurse  `json:"recurse,omitempty"`
	GetInt   *struct{} `json:"get_int,omitempty"`
}

type recurse struct {
	Depth uint32 `json:"depth"`
	Work  uint32 `json:"work"`
}

type migrate struct {
	Verifier string `json:"verifier"`
}

// VerifierResponse and IntResponse are answers.
type (
	VerifierResponse struct {
		Verifier string `json:"verifier"`
	}
	IntResponse struct {
		Int uint32 `json:"int"`
	}
)

// TestAsCosmWasm describes the messages of CosmWasm's own example, in Go, and compares with the description that its Rust code
// has, but for the prose in it.
func TestAsCosmWasm(t *testing.T) {
	b, err := os.ReadFile("testdata/hackatom.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	responses := want["responses"].(map[string]any)
	delete(responses, "recurse") // its base64 is a type of its own there
	delete(want, "sudo")         // and so are its coins
	b, err = Of(API{
		Name: "hackatom", Version: "0.0.0", Instantiate: instantiate{}, Execute: execute{}, Query: query{}, Migrate: migrate{},
		Responses: map[string]any{"verifier": VerifierResponse{}, "get_int": IntResponse{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "sudo")
	plain(want)
	for key := range want {
		if !reflect.DeepEqual(got[key], want[key]) {
			g, _ := json.Marshal(got[key])
			w, _ := json.Marshal(want[key])
			t.Errorf("%s is\n%s, want\n%s", key, g, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d parts, want %d", len(got), len(want))
	}
}

func plain(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, text := v["description"].(string); text {
			delete(v, "description")
		}
		for _, inner := range v {
			plain(inner)
		}
	case []any:
		for _, inner := range v {
			plain(inner)
		}
	}
}

func TestTypes(t *testing.T) {
	type inner struct {
		X int64 `json:"x,string"`
	}
	for want, v := range map[string]any{
		`{"type":"string"}`:                                           []byte{},
		`{"type":"boolean"}`:                                          true,
		`{"format":"int64","type":"integer"}`:                         int64(1),
		`{"items":{"type":"string"},"type":"array"}`:                  []string{},
		`{"additionalProperties":{},"type":"object"}`:                 map[string]any{},
		`{"type":["string","null"]}`:                                  new(string),
		`{"additionalProperties":false,"type":"object"}`:              struct{}{},
		`{"additionalProperties":{"type":"boolean"},"type":"object"}`: map[string]bool{},
		`{"anyOf":[{"additionalProperties":false,"properties":{"x":{"type":"string"}},"required":["x"],"type":"object"},{"type":"null"}]}`: &inner{},
		`{"additionalProperties":false,"properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["b"],"type":"object"}`: struct {
			A string `json:"a,omitempty"`
			B string `json:"b"`
			C string `json:"-"`
		}{},
	} {
		o, err := of(reflect.TypeOf(v), nil)
		got, _ := json.Marshal(o)
		if err != nil || string(got) != want {
			t.Errorf("%T: %s, %v, want %s", v, got, err, want)
		}
	}
	type loop struct{ Next *loop }
	for want, v := range map[string]any{
		"contains itself": loop{}, "not text": map[int]string{}, "nothing that messages hold": 1.5, "embeds": struct{ inner }{},
	} {
		if _, err := Of(API{Execute: struct{ V any }{}, Query: v}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: %v, want %q", v, err, want)
		}
	}
}

type amount struct{ units int64 }

func (a amount) MarshalJSON() ([]byte, error) { return json.Marshal(strconv.FormatInt(a.units, 10)) }
func (amount) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": "^[0-9]+$"}
}

type word struct{ text string }

func (w word) MarshalText() ([]byte, error)     { return []byte(w.text), nil }
func (w *word) UnmarshalText(text []byte) error { w.text = string(text); return nil }

// TestOwnJSON: a type that makes its own JSON says what it is, or is refused.
func TestOwnJSON(t *testing.T) {
	for want, v := range map[string]any{
		`{"pattern":"^[0-9]+$","type":"string"}`:          amount{},
		`{"pattern":"^[0-9]+$","type":["string","null"]}`: &amount{},
		`{"type":"string"}`:                               word{},
		`{"items":{"type":"string"},"type":"array"}`:      []word{},
	} {
		o, err := of(reflect.TypeOf(v), nil)
		got, _ := json.Marshal(o)
		if err != nil || string(got) != want {
			t.Errorf("%T: %s, %v, want %s", v, got, err, want)
		}
	}
	if _, err := Of(API{Execute: struct{ At time.Time }{}}); err == nil || !strings.Contains(err.Error(), "time.Time makes its own JSON") {
		t.Errorf("a time: %v", err)
	}
}
