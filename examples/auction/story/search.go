package story

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
)

// forms are how bytes may be written down: as they are, hexadecimal, and base64 at each of its three offsets.
func forms(secret []byte) [][]byte {
	out := [][]byte{secret, []byte(hex.EncodeToString(secret)), bytes.ToUpper([]byte(hex.EncodeToString(secret)))}
	for skip := range 3 {
		enc := base64.StdEncoding.EncodeToString(append(make([]byte, skip), secret...))
		from := []int{0, 2, 3}[skip] // characters that depend on what stands before
		to := len(enc) / 4 * 4
		if (len(secret)+skip)%3 != 0 {
			to -= 4 // and behind
		}
		out = append(out, []byte(enc[from:to]))
	}
	return out
}

// allForms are the forms of all secrets that are long enough not to occur by chance.
func allForms(secrets [][]byte) [][]byte {
	var out [][]byte
	for _, s := range secrets {
		for _, f := range forms(s) {
			if len(f) >= 8 {
				out = append(out, f)
			}
		}
	}
	return out
}

func contains(data []byte, any [][]byte) bool {
	for _, s := range any {
		if bytes.Contains(data, s) {
			return true
		}
	}
	return false
}

// searchBlocks looks for secrets in each transaction of each block, and for a control that must be found.
func searchBlocks(ctx context.Context, rpc string, height uint64, secrets [][]byte, control []byte) (blocks int, found string, ok bool, err error) {
	look := allForms(secrets)
	for h := uint64(1); h <= height; h++ {
		txs, raw, err := block(ctx, rpc, h)
		if err != nil {
			return blocks, "", ok, err
		}
		blocks++
		for _, data := range append(txs, raw) {
			if contains(data, look) {
				return blocks, fmt.Sprintf("block %d", h), ok, nil
			}
			ok = ok || bytes.Contains(data, control)
		}
	}
	return blocks, "", ok, nil
}

func block(ctx context.Context, rpc string, height uint64) (txs [][]byte, raw []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/block?height=%d", rpc, height), nil)
	if err != nil {
		return nil, nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("reading block %d: %w", height, err)
	}
	defer res.Body.Close()
	if raw, err = io.ReadAll(res.Body); err != nil {
		return nil, nil, fmt.Errorf("reading block %d: %w", height, err)
	}
	var b struct {
		Result struct {
			Block struct {
				Data struct {
					Txs [][]byte `json:"txs"`
				} `json:"data"`
			} `json:"block"`
		} `json:"result"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, nil, fmt.Errorf("reading block %d: %w", height, err)
	}
	return b.Result.Block.Data.Txs, raw, nil
}

// searchFiles looks for secrets in every file below a folder.
func searchFiles(dir string, secrets [][]byte) (files int, found string, err error) {
	look := allForms(secrets)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // databases come and go
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		files++
		if contains(data, look) {
			found = path
			return fs.SkipAll
		}
		return nil
	})
	return files, found, err
}
