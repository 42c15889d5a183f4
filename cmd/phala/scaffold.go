package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phala-go/phala/cmd/phala/internal/scaffold"
)

func newContractCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "new NAME", Short: "Write a contract in Go to begin with, into a new folder", Args: cobra.ExactArgs(1),
		Long: `Write a contract in Go, its test and a copy of the SDK into the folder NAME.
It builds offline, with the go command alone.`,
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			files, err := scaffold.Write(".", name)
			switch {
			case errors.Is(err, scaffold.ErrName):
				return usage("%v", err)
			case errors.Is(err, fs.ErrExist):
				return advise(fmt.Errorf("there is a %s here already, which is left as it is", name), "take another name, or another folder to work in")
			case err != nil:
				return fmt.Errorf("writing the contract: %w", err)
			}
			return e.print(map[string]any{"name": name, "files": files}, func(w io.Writer) {
				fmt.Fprintf(w, "%[1]s/main.go is a contract, %[1]s/main_test.go its test\nnext: cd %[1]s && go test ./... && phala contract build\n", name)
			})
		},
	}
}

func buildCmd(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "build [DIR]", Short: "Build a Go contract into DIR/NAME.wasm, NAME being the folder's", Args: cobra.MaximumNArgs(1),
		Long: `Build a Go contract with the go command:
  CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags='-s -w' -o NAME.wasm .`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			file, err := buildContract(cmd.Context(), dir)
			if err != nil {
				return err
			}
			info, err := os.Stat(file)
			if err != nil {
				return err
			}
			return e.print(map[string]any{"file": file, "bytes": info.Size()}, func(w io.Writer) {
				fmt.Fprintf(w, "%s, %.1f MB\n", file, float64(info.Size())/1e6)
			})
		},
	}
}

func buildContract(ctx context.Context, dir string) (file string, err error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(full, "go.mod")); err != nil {
		return "", advise(fmt.Errorf("%s holds no Go contract: %w", dir, err), "name its folder; phala contract new writes one")
	}
	goCmd, err := exec.LookPath("go")
	if err != nil {
		return "", advise(errors.New("a Go contract is built by the go command, which is not here"), "install Go 1.26 or newer and have go in the PATH")
	}
	name := filepath.Base(full) + ".wasm"
	cmd := exec.CommandContext(ctx, goCmd, "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", name, ".")
	cmd.Dir = full
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", advise(fmt.Errorf("building %s: %w\n%s", name, err, strings.TrimSpace(string(out))), "correct what the go command says above; go test ./... runs the contract natively")
	}
	return filepath.Join(dir, name), nil
}
