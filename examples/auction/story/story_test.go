package story

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadBids(t *testing.T) {
	bids, err := DefaultBids()
	if err != nil || len(bids) < minBids {
		t.Fatalf("%v, %v", bids, err)
	}
	for name, s := range map[string]string{
		"empty": "", "no header": "bob,1\ncarol,2\n", "one bid": "bidder,amount\nbob,1\n", "twice": "bidder,amount\nbob,1\nbob,2\n",
		"zero": "bidder,amount\nbob,0\ncarol,1\n", "sign": "bidder,amount\nbob,+1\ncarol,1\n", "columns": "bidder,amount\nbob,1,2\ncarol,1\n",
		"many": "bidder,amount\n" + strings.Join([]string{"a,1", "b,1", "c,1", "d,1", "e,1", "f,1", "g,1", "h,1", "i,1"}, "\n"),
	} {
		if b, err := ReadBids(strings.NewReader(s)); err == nil {
			t.Errorf("%s: taken as %v", name, b)
		}
	}
}

func TestBest(t *testing.T) {
	if i := best([]Bid{{"a", "9"}, {"b", "70"}, {"c", "70"}, {"d", "8"}}); i != 1 {
		t.Errorf("number %d wins", i)
	}
}

// The search finds a secret however it is written down; else that it finds none would say nothing.
func TestSearchFinds(t *testing.T) {
	secret := bidMsg("125")
	for i := range 7 {
		around := append(bytes.Repeat([]byte{0xa5}, i), append(bytes.Clone(secret), 0x5a, 0x5a)...)
		for name, data := range map[string][]byte{
			"plain": around, "hex": []byte(hex.EncodeToString(around)), "base64": []byte(base64.StdEncoding.EncodeToString(around)),
		} {
			if !contains(data, allForms([][]byte{secret})) {
				t.Errorf("%s at offset %d is not found", name, i)
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "f"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, found, err := searchFiles(dir, [][]byte{secret}); err != nil || found == "" {
				t.Errorf("%s at offset %d in a file: %q, %v", name, i, found, err)
			}
		}
	}
	if contains([]byte(`{"bid":{"amount":"126"}}`), allForms([][]byte{secret})) {
		t.Error("another bid is taken for it")
	}
}
