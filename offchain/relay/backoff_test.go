package relay

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/phala-go/phala/client/node"
)

func TestBackOff(t *testing.T) {
	free, paid := error(&refusedEvidence{}), error(&refusedEvidence{paid: true})
	for _, c := range []struct {
		err        error
		last, want time.Duration
	}{
		{errors.New("no node"), 100 * time.Millisecond, 200 * time.Millisecond},
		{errors.New("no node"), 4 * time.Second, 5 * time.Second},
		{&node.TxError{}, 4 * time.Second, 5 * time.Second}, // the node did not take it: nothing was paid
		{fmt.Errorf("registering: %w", free), 200 * time.Millisecond, 400 * time.Millisecond},
		{free, 9 * time.Second, 10 * time.Second},
		{fmt.Errorf("registering: %w", paid), 100 * time.Millisecond, 5 * time.Second},
		{paid, 5 * time.Second, 10 * time.Second},
		{paid, 9 * time.Minute, 10 * time.Minute},
		{&node.TxError{Height: 7}, 100 * time.Millisecond, 5 * time.Second},
	} {
		if got := backOff(c.err, c.last); got != c.want {
			t.Errorf("after %v and %v: %s, want %s", c.err, c.last, got, c.want)
		}
	}
}
