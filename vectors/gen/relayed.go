package gen

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/payment"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

const relayedComment = "A client has failed an HTLC that the LSP forwarded to it, with reason. shared_secret is the one that the LSP has with the payer, from the onion. relayed is the reason that the LSP gives upstream: the client's, with its own layer of obfuscation (BOLT 4, \"Returning Errors\"). In a bad vector it gives claim."

// relayedErrors are reasons with one layer more (CHAN-017).
func relayedErrors() (vectors.File, error) {
	f := file("CHAN", "relayed_error", "BOLT 4, \"Returning Errors\"; SPEC.md 8.2", relayedComment)
	s := newSource("relayed_error")
	layer := func(secret, reason vectors.Hex) vectors.Hex {
		return payment.HTLCFailed{Reason: reason}.Relayed([32]byte(secret), rule.Set{})
	}
	for _, c := range []struct {
		name string
		size int // of the reason, in bytes; that of BOLT 4 is 292
		bad  func(secret, reason, right vectors.Hex) vectors.Hex
	}{
		{"of 256 bytes of failure", 292, nil},
		{"of a large failure", 1060, nil},
		{"of one byte", 1, nil},

		{"as it came", 292, func(_, reason, _ vectors.Hex) vectors.Hex { return reason }},
		{"with the secret of another hop", 292, func(_, reason, _ vectors.Hex) vectors.Hex { return layer(s.bytes(32), reason) }},
		{"of its own", 292, func(secret, _, _ vectors.Hex) vectors.Hex { return layer(secret, s.bytes(292)) }},
		{"with a bit changed", 292, func(_, _, right vectors.Hex) vectors.Hex {
			out := slices.Clone(right)
			out[200] ^= 1
			return out
		}},
		{"cut to 256 bytes", 1060, func(_, _, right vectors.Hex) vectors.Hex { return right[:292] }},
	} {
		v := &vectors.RelayedError{Head: head(slug("relayed", c.name), rule.CHAN017), Secret: s.bytes(32), Reason: s.bytes(c.size)}
		right := layer(v.Secret, v.Reason)
		if c.bad == nil {
			v.Relayed = right
		} else {
			v.Claim = c.bad(v.Secret, v.Reason, right)
			v.Outcome = blame("lsp", "wrong-reason", "reason", -1, rule.CHAN017)
		}
		f.Vectors = append(f.Vectors, v)
	}
	return f, nil
}

func (r runner) relayedError(v *vectors.RelayedError) error {
	if len(v.Secret) != 32 {
		return errors.New("a secret has 32 bytes")
	}
	got := payment.HTLCFailed{Reason: v.Reason}.Relayed([32]byte(v.Secret), r.rules)
	if v.Error == nil {
		return sameBytes("relayed", got, v.Relayed)
	}
	if bytes.Equal(got, v.Claim) || v.Error.Kind != "wrong-reason" {
		return fmt.Errorf("it gives %x, want %s", got, v.Error.Kind)
	}
	return nil
}

func relayedErrorSchema() object {
	return schema("relayed_error", "An error of a client that its LSP relays", object{"shared_secret": bytesOf(32), "reason": ref("hex")},
		object{"relayed": ref("hex")}, object{"claim": ref("hex")}, object{"if": object{"required": []string{"error"}}, "then": object{"required": []string{"claim"}}, "else": object{"properties": object{"claim": false}}})
}
