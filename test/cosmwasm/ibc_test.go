package cosmwasm

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/phala-go/phala/enclave/engine"
)

func channel(id, order, version string) string {
	return fmt.Sprintf(`{"endpoint":{"port_id":"my_port","channel_id":%q},"counterparty_endpoint":{"port_id":"their_port","channel_id":"channel-7"},`+
		`"order":%q,"version":%q,"connection_id":"connection-2"}`, id, order, version)
}

// TestIBCReflect is that contract's own tests, by its entry points: there is no IBC here that would call them.
func TestIBCReflect(t *testing.T) {
	const version, id = "ibc-reflect-v1", "channel-432"
	for _, c := range []struct{ module, file string }{{wasmvm, "testdata/ibc_reflect.wasm"}, {wasmd, keeper + "ibc_reflect.wasm"}} {
		w := newWorld(t)
		a := w.made(w.upload(c.module, c.file), account("creator"), `{"reflect_code_id":17}`, "")
		enter := func(entry engine.Entry, msg string) (engine.Outcome, error) {
			t.Helper()
			return w.enter(a, entry, msg, engine.MigrateInfo{})
		}
		try := func(order, version string) error {
			_, err := enter(engine.IBCChannelOpen, `{"open_try":{"channel":`+channel(id, order, version)+`,"counterparty_version":"`+version+`"}}`)
			return err
		}
		if try("ORDER_UNORDERED", version) == nil || try("ORDER_ORDERED", "reflect") == nil {
			t.Errorf("%s: a wrong handshake passes", c.file)
		}
		if err := try("ORDER_ORDERED", version); err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		out, err := enter(engine.IBCChannelOpen, `{"open_init":{"channel":`+channel(id, "ORDER_ORDERED", version)+`}}`)
		if err != nil || out.Response != nil || string(out.Query) != "null" && !strings.Contains(string(out.Query), version) {
			t.Errorf("%s: opening: %+v, %v", c.file, out, err)
		}

		// A packet before there is an account is answered with an error, within the acknowledgement.
		receive := func(data string) (engine.Response, string) {
			t.Helper()
			out, err := enter(engine.IBCPacketReceive, fmt.Sprintf(`{"packet":{"data":%q,"src":{"port_id":"their_port","channel_id":"channel-1234"},`+
				`"dest":{"port_id":"our_port","channel_id":%q},"sequence":27,"timeout":{"block":{"revision":1,"height":12345678},"timestamp":null}},"relayer":%q}`,
				b64(data), id, account("relayer")))
			if err != nil {
				t.Fatalf("%s: %s: %v", c.file, data, err)
			}
			return *out.Response, string(out.Response.Acknowledgement)
		}
		dispatch := fmt.Sprintf(`{"dispatch":{"msgs":[{"bank":{"send":{"to_address":%q,"amount":[{"denom":"uatom","amount":"123456789"}]}}}]}}`, account("friend"))
		r, ack := receive(dispatch)
		if len(r.Messages) != 0 || len(r.Events) != 1 || r.Events[0].Type != "ibc" || !strings.Contains(ack, `"error":"invalid packet: `) {
			t.Errorf("%s: without an account: %+v, %s", c.file, r, ack)
		}

		out, err = enter(engine.IBCChannelConnect, `{"open_ack":{"channel":`+channel(id, "ORDER_ORDERED", version)+`,"counterparty_version":"`+version+`"}}`)
		if err != nil || len(out.Response.Messages) != 1 {
			t.Fatalf("%s: connecting: %+v, %v", c.file, out.Response, err)
		}
		m := out.Response.Messages[0]
		if s := string(m.Msg); m.ReplyOn != "success" || !strings.Contains(s, `"code_id":17`) || !strings.Contains(s, `"label":"ibc-reflect-`+id) || !strings.Contains(s, `"admin":null`) {
			t.Errorf("%s: connecting asks for %s, reply on %s", c.file, s, m.ReplyOn)
		}
		w.asks(a, `{"list_accounts":{}}`, `{"accounts":[]}`)
		acct := account("acct-123")
		reply, err := json.Marshal(map[string]any{"id": m.ID, "payload": m.Payload, "gas_used": 1234567, "result": map[string]any{"ok": map[string]any{
			"events": []engine.Event{{Type: "instantiate", Attributes: []engine.Attribute{{Key: "_contract_address", Value: acct}, {Key: "code_id", Value: "17"}}}}, "msg_responses": []int{},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enter(engine.Reply, string(reply)); err != nil {
			t.Fatalf("%s: reply: %v", c.file, err)
		}
		w.asks(a, `{"list_accounts":{}}`, `{"accounts":[{"account":"`+acct+`","channel_id":"`+id+`"}]}`)
		w.asks(a, `{"account":{"channel_id":"`+id+`"}}`, `{"account":"`+acct+`"}`)

		r, ack = receive(dispatch)
		if len(r.Messages) != 1 || !strings.HasPrefix(ack, `{"ok":`) || !strings.Contains(string(r.Messages[0].Msg), `"contract_addr":"`+acct+`"`) {
			t.Errorf("%s: dispatch: %+v, %s", c.file, r, ack)
		}
		if _, ack = receive(`{"who_am_i":{}}`); ack != `{"ok":{"account":"`+acct+`"}}` {
			t.Errorf("%s: who am I: %s", c.file, ack)
		}
		if r, ack = receive(`{"reflect_code_id":12345}`); len(r.Messages) != 0 || !strings.Contains(ack, "unknown variant `reflect_code_id`") {
			t.Errorf("%s: a bad packet: %+v, %s", c.file, r, ack)
		}
		for entry, msg := range map[engine.Entry]string{
			engine.IBCPacketAck: `{"acknowledgement":{"data":""},"original_packet":{"data":"","src":{"port_id":"a","channel_id":"b"},"dest":{"port_id":"a","channel_id":"b"},` +
				`"sequence":1,"timeout":{"block":null,"timestamp":"1"}},"relayer":"` + account("relayer") + `"}`,
			engine.IBCPacketTimeout: `{"packet":{"data":"","src":{"port_id":"a","channel_id":"b"},"dest":{"port_id":"a","channel_id":"b"},"sequence":1,"timeout":{"block":null,"timestamp":"1"}},"relayer":"` + account("relayer") + `"}`,
		} {
			if out, err := enter(entry, msg); err != nil || len(out.Response.Messages) != 0 {
				t.Errorf("%s: %s: %+v, %v", c.file, entry, out.Response, err)
			}
		}
		if _, err := enter(engine.IBC2PacketReceive, `{}`); err == nil || !strings.Contains(err.Error(), "no such entry point") {
			t.Errorf("%s: an entry point that is not there: %v", c.file, err)
		}
	}
}
