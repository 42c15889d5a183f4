package client

import (
	"errors"
	"os"
	"testing"

	"github.com/phala-go/phala/core/seal"
)

func TestPendingIsKept(t *testing.T) {
	key, err := seal.ReplyKeyOf(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() + "/pending"
	p := &Pending{ChainID: "c", Cluster: 1, Index: 7, Ordered: 9, TxHash: "AA", Contract: "pha1x", replyKey: key}
	if err := p.Save(dir); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(pendingPath(dir, "c", 1, 7))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
	got, err := LoadPending(dir, "c", 1, 7)
	if err != nil || got.Ordered != 9 || got.Contract != "pha1x" {
		t.Fatalf("%+v, %v", got, err)
	}
	// The key that was read opens what the other end seals.
	plain, err := got.replyKey.OpenReply(p.replyKey.Reply([]byte("hello")))
	if err != nil || string(plain) != "hello" {
		t.Fatalf("%q, %v", plain, err)
	}
	if _, err := LoadPending(dir, "c", 1, 8); !errors.Is(err, ErrUnknownCall) {
		t.Fatalf("another call: %v", err)
	}
}
