//go:build !liar

package main

import "github.com/phala-go/phala/core/wire"

// tamper is nil in every build but the tests' liar.
var tamper func(*wire.Batch)
