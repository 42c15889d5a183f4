package story

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bid is one line of the bids' file.
type Bid struct {
	Bidder string
	Amount string
}

// bounds on how many bid: the development network has ten accounts, and the seller and the stranger do not bid.
const (
	minBids = 2
	maxBids = 8
)

// ReadBids reads lines of bidder,amount; the first line names the columns.
func ReadBids(r io.Reader) ([]Bid, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading the bids: %w", err)
	}
	if len(rows) == 0 || len(rows[0]) != 2 || strings.TrimSpace(rows[0][0]) != "bidder" || strings.TrimSpace(rows[0][1]) != "amount" {
		return nil, errors.New("reading the bids: the first line must be bidder,amount")
	}
	var bids []Bid
	seen := map[string]bool{}
	for i, row := range rows[1:] {
		b := Bid{strings.TrimSpace(row[0]), strings.TrimSpace(row[1])}
		if n, err := strconv.ParseUint(b.Amount, 10, 64); err != nil || n == 0 || strconv.FormatUint(n, 10) != b.Amount {
			return nil, fmt.Errorf("reading the bids: line %d: amount %q is no positive whole number", i+2, b.Amount)
		}
		if b.Bidder == "" || seen[b.Bidder] {
			return nil, fmt.Errorf("reading the bids: line %d: bidder %q is empty or repeated", i+2, b.Bidder)
		}
		seen[b.Bidder] = true
		bids = append(bids, b)
	}
	if len(bids) < minBids || len(bids) > maxBids {
		return nil, fmt.Errorf("reading the bids: %d of them; from %d to %d are shown", len(bids), minBids, maxBids)
	}
	return bids, nil
}

// best is whose bid must win: the highest, and of equal ones the earlier.
func best(bids []Bid) int {
	var win int
	var top uint64
	for i, b := range bids {
		if n, _ := strconv.ParseUint(b.Amount, 10, 64); n > top {
			win, top = i, n
		}
	}
	return win
}
