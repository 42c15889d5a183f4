//go:build !liar

package main

import "github.com/phala-go/phala/core/wire"

// tamper and tamperContribution are nil in every build but the tests' liar.
var (
	tamper             func(*wire.Batch)
	tamperContribution func(*wire.Contribution)
)
