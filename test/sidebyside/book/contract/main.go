// Command contract is the book as a contract.
package main

import (
	"github.com/phala-go/phala/sdk/contract"
	"github.com/phala-go/phala/test/sidebyside/book"
)

func init() { contract.Register(book.Program) }

func main() {}
