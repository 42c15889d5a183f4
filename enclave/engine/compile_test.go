package engine

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

func TestRefusedCode(t *testing.T) {
	e := newEngine(t, Config{MaxCodeBytes: 100 << 10})
	good := (&asm{}).bytes()
	for _, tc := range []struct {
		name string
		code []byte
		want string
	}{
		{"nothing", nil, "at byte 0: not a WebAssembly module"},
		{"text", []byte("#!/bin/sh"), "not a WebAssembly module"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "at byte 4: not a WebAssembly module of version 1"},
		{"cut short", good[:len(good)-3], "231 are left"},
		{"trailing bytes", append(bytes.Clone(good), 0xff, 5), "0 are left"},
		{"unknown section", append(bytes.Clone(good), 0x7f, 0), "section"},
		{"too large", make([]byte, 100<<10+1), "102401 bytes, at most 102400"},
		{"too much memory", (&asm{pages: 513}).bytes(), "513"},
		{"start function", (&asm{start: true}).bytes(), "a start function is not allowed"},
		{"old interface", (&asm{extra: []string{"interface_version_7"}}).bytes(), "wants interface_version_7, offered is interface_version_8"},
		{"capability", (&asm{extra: []string{"requires_staking"}}).bytes(), "requires staking; offered here are cosmwasm_1_1, cosmwasm_1_2, cosmwasm_1_3, cosmwasm_1_4, cosmwasm_2_0, cosmwasm_2_1, cosmwasm_2_2, cosmwasm_3_0, iterator, phala"},
		{"no memory", (&asm{skip: "memory"}).bytes(), "does not export memory"},
		{"no allocate", (&asm{skip: "allocate"}).bytes(), "does not export allocate"},
		{"no version", (&asm{skip: "interface_version_8"}).bytes(), "does not export interface_version_8"},
		{"no instantiate", (&asm{skip: "instantiate"}).bytes(), "does not export instantiate"},
		{"wrong signature", (&asm{extra: []string{"migrate"}}).bytes(), "exports migrate with another signature"},
		{"growing table", (&asm{init: []byte{0xd0, 0x70, 0x41, 1, 0xfc, 0x0f, 0, 0x1a}}).bytes(), "reference types) is not allowed"},
		{"ill-typed", (&asm{init: []byte{0x6a}}).bytes(), "operand missing"},
		{"does not start", (&asm{init: []byte{0}}).bytes(), "it does not start: _initialize trapped: unreachable"},
		{"does not end", (&asm{init: []byte{3, 0x40, 0x0c, 0, 0x0b}}).bytes(), "it does not start: _initialize trapped: out of gas"},
	} {
		_, err := e.Compile(context.Background(), tc.code)
		var refused *CodeError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestRefusedImports(t *testing.T) {
	e := newEngine(t, Config{})
	a := &asm{imports: []asmImport{
		{"env", "db_read", i32s(1), []byte{0x7f}},
		{"env", "gettimeofday", i32s(0), nil},
		{"wasi_snapshot_preview1", "sock_open", i32s(3), []byte{0x7f}},
		{"wasi_snapshot_preview1", "random_get", i32s(2), []byte{0x7f}},
		{"other", "db_read", i32s(1), nil},
	}}
	_, err := e.Compile(context.Background(), a.bytes())
	want := "code refused: imports what is not offered here: env.gettimeofday, other.db_read, wasi_snapshot_preview1.sock_open"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	a = &asm{imports: []asmImport{{"env", "db_read", i32s(2), []byte{0x7f}}}}
	_, err = e.Compile(context.Background(), a.bytes())
	if err == nil || !strings.Contains(err.Error(), "imports env.db_read with another signature") {
		t.Errorf("got %v", err)
	}
}

func TestCompileTwice(t *testing.T) {
	e := newEngine(t, Config{})
	a, b := (&asm{}).must(t, e), (&asm{}).must(t, e)
	if a.ID() != b.ID() {
		t.Error("equal code, different ids")
	}
	if err := a.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, e, b, Execute, memory{}); err != nil {
		t.Errorf("after its twin was closed: %v", err)
	}
}

func TestCompileCancelled(t *testing.T) {
	e := newEngine(t, Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var refused *CodeError
	if _, err := e.Compile(ctx, (&asm{}).bytes()); err == nil || errors.As(err, &refused) {
		t.Errorf("giving up was blamed on the code: %v", err)
	}
}

// Small functions that each pass the limits would add up to minutes of compiling; the charge bounds their sum.
func TestDeployChargeIsBounded(t *testing.T) {
	good := (&asm{}).bytes()
	c, err := newEngine(t, Config{}).Compile(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newEngine(t, Config{DeployGas: c.DeployGas()}).Compile(t.Context(), good); err != nil {
		t.Errorf("at its charge: %v", err)
	}
	_, err = newEngine(t, Config{DeployGas: c.DeployGas() - 1}).Compile(t.Context(), good)
	var refused *CodeError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "compiling it is charged") {
		t.Errorf("below its charge: %v", err)
	}
}
