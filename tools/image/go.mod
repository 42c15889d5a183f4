module github.com/phala-go/phala/tools/image

go 1.26.5

require (
	github.com/phala-go/phala v0.0.0
	github.com/ulikunitz/xz v0.5.15
)

replace github.com/phala-go/phala => ../..
