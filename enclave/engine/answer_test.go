package engine

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"
)

// someAnswers are what contracts say, and what nearly is one.
var someAnswers = map[string]bool{ // and whether they are plain
	`{"ok":{"messages":[],"attributes":[],"events":[],"data":null}}`:                                                                                   true,
	`{"ok":{"messages":[],"attributes":[{"key":"action","value":"transfer"},{"key":"","value":"~"}],"events":[],"data":""}}`:                           true,
	`{"ok":{"messages":[],"attributes":[],"events":[{"type":"a","attributes":[{"key":"k","value":"v"}]},{"type":"b","attributes":[]}],"data":"AAEC"}}`: true,
	`{"ok":{"acknowledgement":"eA==","messages":[],"attributes":[],"events":[]}}`:                                                                      true,
	`{"ok":{}}`:                                        true,
	`{"ok":"eyJhIjoxfQ=="}`:                            false, // but of a query
	`{"ok":""}`:                                        false,
	`{"error":"Unauthorized"}`:                         true,
	`{"error":""}`:                                     true,
	`{"error":"caf\u00e9 \"x\""}`:                      false,
	`{"error":"é"}`:                                    false,
	`{"error":"\xff"}`:                                 false,
	`{"ok":null}`:                                      false,
	`{"ok":[]}`:                                        false,
	`{"ok":{"messages":[],"messages":[]}}`:             false,
	`{"ok":{"Messages":[]}}`:                           false,
	`{"ok":{"data":"A"}}`:                              false,
	`{"ok":{"data":"AA=="},"error":"x"}`:               false,
	`{"ok":{"data":"AA=="}} `:                          false,
	`{"ok":{"data":"AA=="}}}`:                          false,
	`{"ok":{"data":"AA==",}}`:                          false,
	`{"ok":{,"data":"AA=="}}`:                          false,
	`{"ok":{"attributes":[{"key":"a","value":"b"},]}}`: false,
	`{"ok":{"attributes":[{"value":"b","key":"a"}]}}`:  false,
	`{"ok":{"attributes":null}}`:                       false,
	`{"ok":{"messages":[{"id":1,"msg":{"bank":{}},"gas_limit":null,"reply_on":"never"}]}}`: false,
	`{"ok":{"attributes":[{"key":"a`: false,
	`{"ok":{"events":[`:              false,
	`{"ok"`:                          false,
	``:                               false,
}

func sameAnswer(t *testing.T, entry Entry, answer string) bool {
	t.Helper()
	out, refused, ok := plain(entry, []byte(answer))
	if !ok {
		return false
	}
	want, err := thorough(entry, []byte(answer))
	if !reflect.DeepEqual(out, want) || !reflect.DeepEqual(refused, err) {
		t.Errorf("%s %s: %+v, %v; encoding/json has %+v, %v", entry, answer, out, refused, want, err)
	}
	return true
}

func TestPlainAnswers(t *testing.T) {
	for answer, easy := range someAnswers {
		if got := sameAnswer(t, Execute, answer); got != easy {
			t.Errorf("%s is plain: %v", answer, got)
		}
		sameAnswer(t, Query, answer)
		sameAnswer(t, IBCPacketReceive, answer)
	}
	if !sameAnswer(t, Query, `{"ok":"eyJhIjoxfQ=="}`) || !sameAnswer(t, Query, `{"ok":""}`) {
		t.Error("the answer of a query is not plain")
	}
	if _, _, ok := plain(IBCChannelOpen, []byte(`{"ok":{}}`)); ok {
		t.Error("the answer to a channel is no response")
	}
}

func FuzzAnswer(f *testing.F) {
	for answer := range someAnswers {
		f.Add(answer)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		sameAnswer(t, Execute, answer)
		sameAnswer(t, Query, answer)
	})
}

// TestArgumentsAsJSON: what contracts read is what encoding/json would write.
func TestArgumentsAsJSON(t *testing.T) {
	type block struct {
		Height uint64 `json:"height"`
		Time   string `json:"time"`
		Chain  string `json:"chain_id"`
	}
	type tx struct {
		Index uint32 `json:"index"`
	}
	type self struct {
		Address string `json:"address"`
	}
	index := uint32(4294967295)
	for _, text := range []string{"", "pha1qq", `a"b\c`, "<&>", "\n\x00\x7f", "é\u2028", "\xff"} {
		for _, i := range []*uint32{nil, &index} {
			for _, extended := range []bool{false, true} {
				e := Env{ChainID: text, Height: 18446744073709551615, TimeNanos: 7, TxIndex: i, Contract: text + "x", Caller: text}
				want := struct {
					Block  block   `json:"block"`
					Tx     *tx     `json:"transaction"`
					Self   self    `json:"contract"`
					Caller *string `json:"caller,omitempty"`
				}{Block: block{e.Height, strconv.FormatUint(e.TimeNanos, 10), e.ChainID}, Self: self{e.Contract}}
				if i != nil {
					want.Tx = &tx{*i}
				}
				if extended {
					want.Caller = &e.Caller
				}
				b, err := json.Marshal(want)
				if got := e.json(extended); err != nil || string(got) != string(b) {
					t.Errorf("%s, want %s, %v", got, b, err)
				}
			}
		}
		for n := range 3 {
			info := Info{Sender: text, Funds: []Coin{{text, "1"}, {"d", text}}[:min(n, 2)]}
			b, err := json.Marshal(struct {
				Sender string `json:"sender"`
				Funds  []Coin `json:"funds"`
			}{info.Sender, info.Funds})
			if got := info.json(); err != nil || string(got) != string(b) {
				t.Errorf("%s, want %s, %v", got, b, err)
			}
		}
	}
}
