package main

import (
	"bufio"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// bareSize is what an ask and an answer have of ciphertext: the least class of ours, and a tag.
const bareSize = 256 + 16

// bareTLS measures the peer of cluster/queries_vs_bare_tls: TLS 1.3 and nothing around it, and for each request what cannot be left away:
// an AES-GCM opened, a balance looked up in a map, an AES-GCM sealed. It ends with its connections.
func bareTLS(ctx context.Context, under int, long time.Duration) ([]time.Duration, error) {
	certificate, pool, err := selfSigned()
	if err != nil {
		return nil, err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	a := bareAEAD()
	balances := map[[32]byte][]byte{}
	for i := range 1000 {
		balances[[32]byte{byte(i), byte(i >> 8)}] = []byte(`{"balance":"1000000"}`)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveBare(c, a, balances)
		}
	}()
	return load(ctx, connections, under, long, func(int) (func(context.Context) error, func(), error) {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
		if err != nil {
			return nil, nil, err
		}
		b := &bareClient{c: c, w: bufio.NewWriter(c), r: bufio.NewReader(c), a: a, asked: make(chan chan error, under)}
		if under == 1 {
			return b.askAlone, func() { c.Close() }, nil
		}
		go b.receive()
		return b.ask, func() { c.Close(); close(b.asked) }, nil
	})
}

// bareClient asks in the order of its requests, which are answered in that order.
type bareClient struct {
	c     net.Conn
	r     *bufio.Reader
	a     cipher.AEAD
	asked chan chan error

	mu      sync.Mutex
	w       *bufio.Writer
	n       uint64
	writers atomic.Int32
}

func (b *bareClient) askAlone(context.Context) error {
	b.n++
	if err := writeBare(b.c, b.a, 2*b.n, make([]byte, 256)); err != nil {
		return err
	}
	return b.read()
}

func (b *bareClient) read() error {
	_, plain, err := readBare(b.r, b.a)
	if err == nil && string(plain[:11]) != `{"balance":` {
		err = errors.New("the bare server answers something else")
	}
	return err
}

// ask sends what others have waiting with its own, as a stream of ours does.
func (b *bareClient) ask(context.Context) error {
	done := make(chan error, 1)
	b.writers.Add(1)
	b.mu.Lock()
	b.n++
	err := writeBare(b.w, b.a, 2*b.n, make([]byte, 256))
	b.asked <- done
	if b.writers.Add(-1) == 0 && err == nil {
		err = b.w.Flush()
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	return <-done
}

func (b *bareClient) receive() {
	for done := range b.asked {
		done <- b.read()
	}
}

func serveBare(c net.Conn, a cipher.AEAD, balances map[[32]byte][]byte) {
	defer c.Close()
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	for {
		n, plain, err := readBare(r, a)
		if err != nil {
			return
		}
		answer := make([]byte, 256)
		copy(answer, balances[[32]byte(plain[:32])])
		if writeBare(w, a, n+1, answer) != nil || r.Buffered() == 0 && w.Flush() != nil {
			return
		}
	}
}

func bareAEAD() cipher.AEAD {
	b, _ := aes.NewCipher(make([]byte, 32))
	a, _ := cipher.NewGCM(b)
	return a
}

func bareNonce(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, 12), n) }

func writeBare(w io.Writer, a cipher.AEAD, n uint64, plain []byte) error {
	frame := binary.BigEndian.AppendUint64(make([]byte, 0, 8+bareSize), n)
	_, err := w.Write(a.Seal(frame, bareNonce(n), plain, nil))
	return err
}

func readBare(r io.Reader, a cipher.AEAD) (uint64, []byte, error) {
	frame := make([]byte, 8+bareSize)
	if _, err := io.ReadFull(r, frame); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint64(frame)
	plain, err := a.Open(frame[8:8], bareNonce(n), frame[8:], nil)
	return n, plain, err
}

func selfSigned() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool, nil
}
