module github.com/phala-go/phala/test/imagepeers

go 1.26.5

require (
	github.com/google/gce-tcb-verifier v0.3.1
	github.com/phala-go/phala v0.0.0
)

require (
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/exp v0.0.0-20260527015227-08cc5374adb3 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace github.com/phala-go/phala => ../..
