// Package gatewayrpc is the gateway's protocol for Go: Connect over HTTP with the messages of core/wire, for both ends. A failure
// crosses it with its code, message and next step. It must never open what it carries.
package gatewayrpc

import (
	"bytes"
	"fmt"

	"github.com/cosmos/gogoproto/jsonpb"
	"github.com/cosmos/gogoproto/proto"

	"github.com/phala-go/phala/core/wire"
)

// protoCodec is Connect's "proto" for gogoproto's messages.
type protoCodec struct{}

func (protoCodec) Name() string { return "proto" }

func (protoCodec) Marshal(m any) ([]byte, error) {
	w, ok := m.(wire.Message)
	if !ok {
		return nil, fmt.Errorf("encoding %T: it is not a message of the wire", m)
	}
	return w.Marshal()
}

func (protoCodec) Unmarshal(b []byte, m any) error {
	w, ok := m.(wire.Message)
	if !ok {
		return fmt.Errorf("decoding %T: it is not a message of the wire", m)
	}
	w.Reset()
	return w.Unmarshal(b)
}

// jsonCodec is Connect's "json", for people with curl.
type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

func (jsonCodec) Marshal(m any) ([]byte, error) {
	p, ok := m.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("encoding %T: it is not a message of the wire", m)
	}
	var b bytes.Buffer
	err := (&jsonpb.Marshaler{EmitDefaults: true}).Marshal(&b, p)
	return b.Bytes(), err
}

func (jsonCodec) Unmarshal(b []byte, m any) error {
	p, ok := m.(proto.Message)
	if !ok {
		return fmt.Errorf("decoding %T: it is not a message of the wire", m)
	}
	p.Reset()
	return (&jsonpb.Unmarshaler{AllowUnknownFields: true}).Unmarshal(bytes.NewReader(b), p)
}
