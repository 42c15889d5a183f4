#!/usr/bin/env bash
# Regenerates core/wire and chain/x/*/types from proto/. Offline but for the Go module proxy.
# Called by `make proto`.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/bin/tools
(cd tools && GOWORK=off CGO_ENABLED=0 GOBIN="$bin" go install tool)
export PATH=$bin:$PATH

# Other people's .proto files come out of the Go module cache at the versions of go.mod; git ignores the copy.
third=third_party/proto
rm -rf "$third" && mkdir -p "$third/google/api" "$third/gogoproto"
dir() { go list -m -f '{{.Dir}}' "$1"; }
sdk=$(dir github.com/cosmos/cosmos-sdk)
cp -r "$sdk/proto/cosmos" "$sdk/proto/amino" "$third/"
cp -r "$(dir github.com/cosmos/cosmos-proto)/proto/cosmos_proto" "$third/"
cp "$(dir github.com/cosmos/gogoproto)/gogoproto/gogo.proto" "$third/gogoproto/"
gateway=$(dir github.com/grpc-ecosystem/grpc-gateway)
cp "$gateway"/third_party/googleapis/google/api/{annotations,http}.proto "$third/google/api/"
chmod -R u+w "$third"
find "$third" -type f ! -name '*.proto' -delete

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cd tools
# The nouns of the trust boundary: no gRPC, so that the enclave links none.
buf generate .. --template buf.gen.wire.yaml --path ../proto/phala/wire -o "$out"
buf generate .. --template buf.gen.chain.yaml \
  --path ../proto/phala/attestation --path ../proto/phala/worker --path ../proto/phala/cluster --path ../proto/phala/gatekeeper -o "$out"
cd ..
find core/wire chain/x/*/types \( -name '*.pb.go' -o -name '*.pb.gw.go' \) -delete 2>/dev/null || true
cp -r "$out"/github.com/phala-go/phala/. .
# gogoproto names a local variable "wire" in every Unmarshal, which hides the package of that name.
sed -i -E 's#^(\s*)(wire |)"github.com/phala-go/phala/core/wire"#\1phalawire "github.com/phala-go/phala/core/wire"#; s#\bwire\.([A-Z])#phalawire.\1#g' chain/x/*/types/*.pb.go chain/x/*/types/*.pb.gw.go
gofmt -w core/wire chain/x/*/types/*.pb.go chain/x/*/types/*.pb.gw.go
