# Everything a person or a machine runs here. `make help` prints what stands after ## below.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export CGO_ENABLED := 0

# Flags are the same everywhere, so that builds, tests and tools share one build cache.
GO       := go
BUILD    := $(GO) build -trimpath -buildvcs=false
TEST     := $(GO) test -trimpath
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
SDKVER   := github.com/cosmos/cosmos-sdk/version
LDFLAGS  := -s -w -buildid= -X main.version=$(VERSION)
CHAINLD  := $(LDFLAGS) -X $(SDKVER).Name=phala -X $(SDKVER).AppName=phalad -X $(SDKVER).Version=$(VERSION)
PROGRAMS := phalad pruntime offchaind phala

# Modules inside the workspace besides the root, and those outside it (GOWORK=off).
INSIDE   := sdk/contract tools/image $(patsubst %/go.mod,%,$(wildcard examples/*/contract/go.mod))
OUTSIDE  := test/attestpeers test/cw20 test/cosmwasm test/imagepeers test/sidebyside

# Packages that do not link the Cosmos SDK: a race build of that takes longer than it tells.
LIGHT    := ./core/... ./enclave/... ./client/... ./offchain/... ./devnet/... ./cmd/pruntime/... ./cmd/offchaind/... ./cmd/phala/...

# Packages whose code runs in one goroutine: core has none (test/house), and an enclave does one thing at a time but for sessions.
ALONE    := /core/|/enclave/(calls|combine|executor|gatekeeper|lightclient|runtime|state)$$

FUZZTIME ?= 10s
BIDS     ?=
B        ?=
KERNEL   ?=
PINS     ?=
RTMR0    ?=
ROUNDS   ?= 21

say = @printf '  \033[1m%-6s\033[0m %s\n' "$(1)" "$(2)"

.PHONY: help
help: ## print this
	@printf 'Phala in Go %s\n\n' '$(VERSION)'
	@while IFS= read -r l; do case "$$l" in [a-z]*:*' ## '*) printf '  make %-12s %s\n' "$${l%%:*}" "$${l##* ## }";; esac; done < Makefile
	@printf '\nNeeded: Go 1.26 and git. What test-system needs besides stands in .ci/run.\n'

.PHONY: build $(PROGRAMS)
build: $(PROGRAMS) ## build the four programs into bin/ (static, reproducible)

phalad: LINK = $(CHAINLD)
$(PROGRAMS): LINK ?= $(LDFLAGS)
$(PROGRAMS):
	$(call say,build,bin/$@)
	@mkdir -p bin
	@$(BUILD) -ldflags '$(LINK)' -o bin/$@ ./cmd/$@

# The image is for x86-64, wherever it is built; what is in it depends on the commit and on the packages that tools/image/pins.txt names.
.PHONY: image
image: ## the measured image and what hardware will report of it, into dist/ (KERNEL=file.deb, PINS=file: other packages; RTMR0=hex: of TDX hosts)
	$(call say,image,dist/disk.img)
	@mkdir -p dist
	@GOOS=linux GOARCH=amd64 $(BUILD) -ldflags '$(LDFLAGS)' -o dist/pruntime ./cmd/pruntime
	@$(GO) run -trimpath ./tools/image -pruntime dist/pruntime -out dist -cache dist/packages -version '$(VERSION)' \
	  $(if $(KERNEL),-kernel '$(abspath $(KERNEL))') $(if $(PINS),-pins '$(abspath $(PINS))') $(if $(RTMR0),-rtmr0 '$(RTMR0)')

.PHONY: wasm
wasm: ## what browsers check receipts with: dist/phala-verify.wasm and the script that loads it; prints the sizes
	$(call say,build,dist/phala-verify.wasm)
	@mkdir -p dist
	@GOOS=js GOARCH=wasm $(BUILD) -ldflags '-s -w -buildid=' -o dist/phala-verify.wasm ./cmd/phala-verify
	@cp "$$($(GO) env GOROOT)/lib/wasm/wasm_exec.js" dist/wasm_exec.js
	@printf '  %s bytes, %s in gzip\n' "$$(wc -c < dist/phala-verify.wasm)" "$$(gzip -9 -c dist/phala-verify.wasm | wc -c)"

.PHONY: liar
liar: ## build bin/pruntime-liar, the broken enclave of the tests
	$(call say,build,bin/pruntime-liar)
	@$(BUILD) -tags liar -ldflags '$(LDFLAGS)' -o bin/pruntime-liar ./cmd/pruntime

.PHONY: demo
demo: build liar ## a network on this machine runs a sealed-bid auction, and ends (BIDS=file.csv for your own bids)
	$(call say,run,sealed-bid auction)
	@PHALA_BIN='$(CURDIR)/bin' $(GO) run -trimpath ./examples/auction/demo -bin '$(CURDIR)/bin' $(if $(BIDS),-bids '$(abspath $(BIDS))')

.PHONY: test
test: ## every test that needs Go alone
	$(call say,test,the root module)
	@$(TEST) ./...
	@for m in $(INSIDE); do printf '  \033[1m%-6s\033[0m %s\n' test "$$m"; (cd "$$m" && $(TEST) ./...); done
	@# cw20 finds its module by the path of its own source, which -trimpath would cut off; cosmwasm does not mind.
	@for m in $(OUTSIDE); do printf '  \033[1m%-6s\033[0m %s\n' test "$$m"; (cd "$$m" && GOWORK=off $(GO) test ./...); done
	@printf '  all tests passed\n'

.PHONY: test-system
test-system: fresh race emulated models networks test-image lint ## what needs Debian packages: race detector, emulated arm64, models, real programs, the measured image, fresh generated code, linters

.PHONY: race
race: ## tests under the race detector, where there is more than one goroutine, without packages that link the SDK (needs gcc)
	$(call say,race,enclave client offchain devnet cmd)
	@CGO_ENABLED=1 $(GO) test -race -short -trimpath $$($(GO) list $(LIGHT) | grep -vE '$(ALONE)')
	@CGO_ENABLED=1 $(GO) test -race -short -trimpath -run Session ./enclave/runtime

.PHONY: emulated
emulated: ## recorded calls come to the same on an emulated arm64 (needs qemu-user-static)
	$(call say,emul,test/determinism)
	@PHALA_ARM64="$${PHALA_ARM64:-1}" $(TEST) -count=1 -v -run TestArm64 ./test/determinism

.PHONY: models
models: ## the models of test/models checked whole, and with mistakes that they have to find (needs spin and gcc)
	$(call say,spin,test/models)
	@PHALA_SPIN=must $(TEST) -count=1 -v ./test/models

.PHONY: networks
networks: build liar ## what of the real programs' networks make test leaves out: the README as it stands, a published token
	$(call say,e2e,test/readme)
	@PHALA_BIN='$(CURDIR)/bin' $(TEST) -count=1 -timeout 10m -v ./test/readme
	$(call say,e2e,test/cw20)
	@cd test/cw20 && PHALA_BIN='$(CURDIR)/bin' GOWORK=off $(GO) test -count=1 -timeout 10m -v -run TestConfidentialToken .

.PHONY: e2e
e2e: networks ## all networks of the real programs, one after another
	$(call say,e2e,test/...)
	@PHALA_BIN='$(CURDIR)/bin' $(TEST) -count=1 -p 1 -timeout 20m -v ./test/e2e/... ./test/badinput

.PHONY: test-image
test-image: ## the measured image is built twice and booted, and its quote is checked (needs qemu-system-x86, swtpm; TPM emulated)
	$(call say,image,test/image)
	@PHALA_IMAGE="$${PHALA_IMAGE:-1}" $(TEST) -count=1 -timeout 15m -v ./test/image

.PHONY: fresh
fresh: proto ## fail if generated code is not what proto/ generates
	@git diff --exit-code --stat -- core/wire chain/x ':!*_test.go' || { echo 'generated code is stale: run make proto and commit what it changes'; exit 1; }
	@new=$$(git ls-files --others --exclude-standard -- core/wire chain/x | grep -E '\.pb(\.gw)?\.go$$' || true); \
	  [ -z "$$new" ] || { echo "generated code is not committed: $$new"; exit 1; }

.PHONY: proto
proto: ## generate core/wire and chain/x/*/types from proto/
	$(call say,proto,core/wire chain/x/*/types)
	@./tools/proto.sh

.PHONY: deps
deps: ## write what each program links into test/house/deps (read the diff before you commit it)
	@$(TEST) ./test/house -run TestDependencyLists -update
	@git diff --stat -- test/house/deps

.PHONY: lint
lint: ## gofmt, go vet, staticcheck
	$(call say,lint,gofmt)
	@bad=$$(git ls-files -z '*.go' | xargs -0 gofmt -l | grep -v '\.pb\.gw\.go$$' || true); [ -z "$$bad" ] || { echo "not formatted: $$bad"; exit 1; }
	$(call say,lint,go vet)
	@$(GO) vet -trimpath ./...
	@for m in $(INSIDE); do (cd "$$m" && $(GO) vet -trimpath ./...); done
	$(call say,lint,staticcheck)
	@cd tools/lint && GOWORK=off $(BUILD) -o ../../bin/tools/staticcheck honnef.co/go/tools/cmd/staticcheck
	@GOFLAGS=-trimpath bin/tools/staticcheck $(LIGHT)

.PHONY: bench
bench: build ## measure: one line a figure, name value unit (B=prefix runs part; beside wasmvm needs gcc)
	@PHALA_BIN='$(CURDIR)/bin' $(GO) run -trimpath ./test/bench -only '$(B)'
	@$(MAKE) bench-engine

.PHONY: bench-engine
bench-engine: ## the contract engine beside wasmvm alone (needs gcc; ROUNDS=5 is shorter)
	@cd bench && CGO_ENABLED=1 GOWORK=off $(GO) run -trimpath . -only '$(B)' -rounds $(ROUNDS)

.PHONY: calibrate
calibrate: ## how much time the gas of each class stands for, against docs/gas.md (ARGS=flags)
	@$(GO) run -trimpath ./enclave/engine/calibrate $(ARGS)

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (default 10s)
	@for p in $$($(GO) list -f '{{.Dir}}' $(LIGHT)); do \
	  for f in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$$p"/*_test.go 2>/dev/null | cut -c6-); do \
	    printf '  \033[1m%-6s\033[0m %s %s\n' fuzz "$${p#$(CURDIR)/}" "$$f"; \
	    $(TEST) -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) "$$p" | tail -1; \
	  done; done

.PHONY: clean
clean: ## remove what was built
	@rm -rf bin dist
