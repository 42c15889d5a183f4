package main

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"phala": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// The scripts need no network.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			self, err := exec.LookPath("phala") // for a script that empties the PATH
			if err != nil {
				return err
			}
			e.Setenv("PHALA", self)
			e.Setenv("PHALA_HOME", e.WorkDir+"/home")
			return nil
		},
	})
}
