package main

// InstantiateMsg opens an auction; the sender is the seller.
type InstantiateMsg struct {
	Item string `json:"item"`
}

// ExecuteMsg is a bid or the end.
type ExecuteMsg struct {
	Bid   *Bid      `json:"bid,omitempty"`
	Close *struct{} `json:"close,omitempty"`
}

// Bid offers an amount, or raises what the sender has offered.
type Bid struct {
	Amount string `json:"amount"` // decimal
}

// QueryMsg is a question.
type QueryMsg struct {
	Status *struct{} `json:"status,omitempty"` // a Status
	Winner *struct{} `json:"winner,omitempty"` // a Standing, once closed
	Bid    *OwnBid   `json:"bid,omitempty"`    // a Standing, for the bidder alone
}

// OwnBid asks for a bid; only the bidder's own permit gets an answer.
type OwnBid struct {
	Bidder string `json:"bidder"`
}

// Status is what anybody may know.
type Status struct {
	Item string `json:"item"`
	Open bool   `json:"open"`
	Bids uint64 `json:"bids"`
}

// Standing is a bid and whose it is.
type Standing struct {
	Bidder string `json:"bidder"`
	Amount string `json:"amount"`
}
