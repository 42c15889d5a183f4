package main

// InstantiateMsg makes the token.
type InstantiateMsg struct {
	Name            string          `json:"name"`
	Symbol          string          `json:"symbol"`
	Decimals        uint8           `json:"decimals"`
	InitialBalances []AccountAmount `json:"initial_balances"`
	Mint            *Minter         `json:"mint,omitempty"` // nobody, if it is left out
}

// AccountAmount is what an account has, in decimal.
type AccountAmount struct {
	Address string `json:"address"`
	Amount  string `json:"amount"`
}

// Minter may make more of the token.
type Minter struct {
	Minter string `json:"minter"`
}

// ExecuteMsg is one of what an account can do.
type ExecuteMsg struct {
	Transfer *Transfer `json:"transfer,omitempty"`
	Burn     *Burn     `json:"burn,omitempty"`
	Mint     *Mint     `json:"mint,omitempty"`
}

// Transfer moves the sender's tokens to another account.
type Transfer struct {
	Recipient string `json:"recipient"`
	Amount    string `json:"amount"`
}

// Burn destroys tokens of the sender.
type Burn struct {
	Amount string `json:"amount"`
}

// Mint makes tokens.
type Mint struct {
	Recipient string `json:"recipient"`
	Amount    string `json:"amount"`
}

// QueryMsg is a question.
type QueryMsg struct {
	Balance   *OwnBalance `json:"balance,omitempty"`    // a Balance, for the account alone
	TokenInfo *struct{}   `json:"token_info,omitempty"` // a Token
}

// OwnBalance asks for a balance; only the account's own permit gets an answer.
type OwnBalance struct {
	Address string `json:"address"`
}

// Balance is an amount in decimal.
type Balance struct {
	Balance string `json:"balance"`
}
