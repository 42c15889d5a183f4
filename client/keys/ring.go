package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// Backends of a ring.
const (
	BackendFile = "file" // each key encrypted with a passphrase (scrypt, AES-256-GCM)
	BackendTest = "test" // plain, for development networks
)

// Sentinels.
var (
	ErrNotFound   = errors.New("no such key")
	ErrExists     = errors.New("a key of this name exists")
	ErrPassphrase = errors.New("wrong passphrase, or the key file was changed")
)

// Ring keeps keys in a folder, one file each, readable by its owner only.
type Ring struct {
	Dir     string
	Backend string                                    // of keys that are added; a file says for itself how it is kept
	Pass    func(confirm bool) (pass []byte, e error) // asked for when a passphrase is needed
}

// Info is the public part of a kept key.
type Info struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	PubKey  []byte `json:"pub_key"`
	Backend string `json:"backend"`
}

type file struct {
	Info
	Private    []byte `json:"private_key,omitempty"` // backend test
	N          int    `json:"scrypt_n,omitempty"`
	Salt       []byte `json:"salt,omitempty"`
	Nonce      []byte `json:"nonce,omitempty"`
	Ciphertext []byte `json:"ciphertext,omitempty"`
}

const (
	suffix  = ".key.json"
	scryptN = 1 << 15
)

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Add keeps a key under a new name.
func (r *Ring) Add(name string, k *Key) (Info, error) {
	path, err := r.path(name)
	if err != nil {
		return Info{}, err
	}
	if _, err := os.Lstat(path); err == nil {
		return Info{}, fmt.Errorf("%w: %s in %s", ErrExists, name, r.Dir)
	}
	f := file{Info: Info{Name: name, Address: k.Address(), PubKey: k.PubKey(), Backend: r.Backend}}
	switch r.Backend {
	case BackendTest:
		f.Private = k.Bytes()
	case BackendFile:
		if err := r.encrypt(&f, k.Bytes()); err != nil {
			return Info{}, err
		}
	default:
		return Info{}, fmt.Errorf("keyring %q: there are file and test", r.Backend)
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return Info{}, fmt.Errorf("encoding a key file: %w", err)
	}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return Info{}, fmt.Errorf("making the keyring: %w", err)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Info{}, fmt.Errorf("writing a key file: %w", err)
	}
	if _, err = out.Write(append(b, '\n')); err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(path)
		return Info{}, fmt.Errorf("writing a key file: %w", err)
	}
	return f.Info, nil
}

// Show gives the public part.
func (r *Ring) Show(name string) (Info, error) {
	f, err := r.read(name)
	return f.Info, err
}

// Get opens a key.
func (r *Ring) Get(name string) (*Key, error) {
	f, err := r.read(name)
	if err != nil {
		return nil, err
	}
	secret := f.Private
	if f.Backend != BackendTest {
		if secret, err = r.decrypt(f); err != nil {
			return nil, fmt.Errorf("opening key %s: %w", name, err)
		}
	}
	k, err := FromBytes(secret)
	if err != nil {
		return nil, fmt.Errorf("opening key %s: %w", name, err)
	}
	if k.Address() != f.Address || !bytes.Equal(k.public, f.PubKey) {
		return nil, fmt.Errorf("opening key %s: the file names %s but holds the key of %s", name, f.Address, k.Address())
	}
	return k, nil
}

// List gives the public parts by name.
func (r *Ring) List() ([]Info, error) {
	entries, err := os.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the keyring: %w", err)
	}
	var out []Info
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
			f, err := r.read(name)
			if err != nil {
				return nil, err
			}
			out = append(out, f.Info)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// Delete removes a key for good.
func (r *Ring) Delete(name string) error {
	path, err := r.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s in %s", ErrNotFound, name, r.Dir)
	} else if err != nil {
		return fmt.Errorf("deleting key %s: %w", name, err)
	}
	return nil
}

func (r *Ring) path(name string) (string, error) {
	if !nameForm.MatchString(name) {
		return "", fmt.Errorf("key name %q: letters, digits, _ . - and at most 64 of them", name)
	}
	return filepath.Join(r.Dir, name+suffix), nil
}

func (r *Ring) read(name string) (file, error) {
	var f file
	path, err := r.path(name)
	if err != nil {
		return f, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, fmt.Errorf("%w: %s in %s", ErrNotFound, name, r.Dir)
	}
	if err != nil {
		return f, fmt.Errorf("reading key %s: %w", name, err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("reading key %s: %w", name, err)
	}
	return f, nil
}

func (r *Ring) encrypt(f *file, secret []byte) error {
	if r.Pass == nil {
		return errors.New("a passphrase is needed and there is no way to ask for it")
	}
	pass, err := r.Pass(true)
	if err != nil {
		return err
	}
	f.N, f.Salt, f.Nonce = scryptN, make([]byte, 16), make([]byte, 12)
	_, _ = rand.Read(f.Salt)
	_, _ = rand.Read(f.Nonce)
	a, err := aead(pass, f)
	if err != nil {
		return err
	}
	f.Ciphertext = a.Seal(nil, f.Nonce, secret, []byte(f.Address))
	return nil
}

func (r *Ring) decrypt(f file) ([]byte, error) {
	if len(f.Nonce) != 12 || f.N < 2 || f.N > 1<<20 {
		return nil, errors.New("the key file is damaged")
	}
	if r.Pass == nil {
		return nil, errors.New("a passphrase is needed and there is no way to ask for it")
	}
	pass, err := r.Pass(false)
	if err != nil {
		return nil, err
	}
	a, err := aead(pass, &f)
	if err != nil {
		return nil, err
	}
	secret, err := a.Open(nil, f.Nonce, f.Ciphertext, []byte(f.Address))
	if err != nil {
		return nil, ErrPassphrase
	}
	return secret, nil
}

func aead(pass []byte, f *file) (cipher.AEAD, error) {
	key, err := scrypt.Key(pass, f.Salt, f.N, 8, 1, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving from the passphrase: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making AES-256-GCM: %w", err)
	}
	return cipher.NewGCM(block)
}
