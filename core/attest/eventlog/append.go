package eventlog

import (
	"crypto"
	"encoding/binary"
	"fmt"
)

// NewHeader begins a log with the given banks.
func NewHeader(banks ...crypto.Hash) ([]byte, error) {
	spec := append([]byte("Spec ID Event03\x00"), 0, 0, 0, 0, 0, 2, 0, 2)
	spec = binary.LittleEndian.AppendUint32(spec, uint32(len(banks)))
	for _, h := range banks {
		id, err := algID(h)
		if err != nil {
			return nil, err
		}
		spec = binary.LittleEndian.AppendUint16(spec, id)
		spec = binary.LittleEndian.AppendUint16(spec, uint16(h.Size()))
	}
	spec = append(spec, 0)
	b := binary.LittleEndian.AppendUint32(make([]byte, 4, 64), uint32(NoAction))
	b = append(b, make([]byte, 20)...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(spec)))
	return append(b, spec...), nil
}

// Append adds an event to a log that Parse reads: what a program has extended after the firmware's log ended. There must be a digest
// for each bank of the log.
func Append(log []byte, e Event) ([]byte, error) {
	b := binary.LittleEndian.AppendUint32(log, e.Register)
	b = binary.LittleEndian.AppendUint32(b, uint32(e.Type))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Digests)))
	for _, d := range e.Digests {
		id, err := algID(d.Hash)
		if err != nil {
			return nil, err
		}
		if len(d.Value) != d.Hash.Size() {
			return nil, fmt.Errorf("logging a digest of %d bytes: %s has %d", len(d.Value), d.Hash, d.Hash.Size())
		}
		b = binary.LittleEndian.AppendUint16(b, id)
		b = append(b, d.Value...)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Data)))
	return append(b, e.Data...), nil
}

// Measure is an event whose digests are the hashes of data, one for each bank.
func Measure(register uint32, kind Type, data []byte, banks ...crypto.Hash) Event {
	e := Event{Register: register, Type: kind, Data: data}
	for _, h := range banks {
		w := h.New()
		w.Write(data)
		e.Digests = append(e.Digests, Digest{h, w.Sum(nil)})
	}
	return e
}

func algID(h crypto.Hash) (uint16, error) {
	for id, k := range known {
		if k == h {
			return id, nil
		}
	}
	return 0, fmt.Errorf("logging a digest of %s: a TPM has no bank of it", h)
}
