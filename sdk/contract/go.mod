module github.com/phala-go/phala/sdk/contract

go 1.26
