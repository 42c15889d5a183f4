module rotating

go 1.26

require github.com/phala-go/phala/sdk/contract v0.0.0

replace github.com/phala-go/phala/sdk/contract => ../../../../sdk/contract
