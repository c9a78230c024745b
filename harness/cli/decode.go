package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"superscalar/wire"
	"superscalar/wire/rule"
)

func newDecodeCommand(e env) *cobra.Command {
	var compat, payload, full bool
	c := &cobra.Command{
		Use:   "decode HEX...",
		Short: "Print a message field by field, or what is wrong with it",
		Long: `Reads one Lightning message, type included, and prints it field by field with
the byte each field begins at. HEX may contain blanks, newlines and 0x; - reads
it from the standard input.

A malformed message gives the field at fault, the byte where it begins, the
class of the error, the requirement of SPEC.md that asks for the failure, and
the bytes around the fault with the guilty one in brackets; the exit code is 1.
Only the bytes are judged: what a node does about a message that is well formed
depends on the conversation.`,
		Example: `  superscalar decode 001200040000
  superscalar decode 8020 0002 fd0200 20 0202020202020202020202020202020202020202020202020202020202020202
  superscalar decode --payload 0001 0101ff
  xxd -p message.bin | superscalar decode -`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(c, "HEX is missing")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if compat && payload {
				return usage(c, "--compat is about the envelope, which a payload does not have")
			}
			raw, err := hexInput(c, e.In, args)
			if err != nil {
				return err
			}
			d := &dump{out: e.Out, full: full}
			if compat {
				d.codec.Envelope = wire.TypeFactoryCompat
			}
			return decode(d, raw, payload)
		},
	}
	c.Flags().BoolVar(&compat, "compat", false, "factory messages have type 33001, the compatibility form (PCF-007)")
	c.Flags().BoolVar(&payload, "payload", false, "HEX is the payload of a SuperScalar factory_piggyback")
	c.Flags().BoolVar(&full, "full", false, "do not shorten long fields")
	return c
}

// maxHexInput bounds what is read, in bytes: the largest message, generously
// spaced.
const maxHexInput = 1 << 20

// hexInput turns the arguments, or the standard input for -, into bytes.
func hexInput(c *cobra.Command, in io.Reader, args []string) ([]byte, error) {
	text := strings.Join(args, " ")
	if text == "-" {
		b, err := io.ReadAll(io.LimitReader(in, maxHexInput+1))
		if err != nil {
			return nil, exit(ExitUsage, "reading the standard input: %w", err)
		}
		if len(b) > maxHexInput {
			return nil, usage(c, "the input is longer than %d bytes; a message has at most %d", maxHexInput, wire.MaxMessage)
		}
		text = string(b)
	}
	var digits strings.Builder
	for _, word := range strings.Fields(text) {
		word = strings.TrimPrefix(strings.TrimPrefix(word, "0x"), "0X")
		digits.WriteString(word)
	}
	raw, err := hex.DecodeString(digits.String())
	var bad hex.InvalidByteError
	switch {
	case errors.As(err, &bad):
		return nil, usage(c, "%q is no hexadecimal digit", rune(bad))
	case errors.Is(err, hex.ErrLength):
		return nil, usage(c, "an odd number of hexadecimal digits: %d", digits.Len())
	case len(raw) == 0:
		return nil, usage(c, "HEX is empty")
	}
	return raw, err
}

// decode prints a message or payload, or the screen of its error.
func decode(d *dump, raw []byte, payload bool) error {
	var err error
	if payload {
		var p wire.Payload
		if p, err = d.codec.DecodePayload(raw); err == nil {
			d.payload(p, raw)
			return nil
		}
	} else {
		var m wire.Message
		if m, err = d.codec.Decode(raw); err == nil {
			d.message(m, raw)
			return nil
		}
	}
	var bad *wire.Error
	if errors.Is(err, wire.ErrNoType) {
		bad = &wire.Error{Message: "message", Field: "type", Kind: wire.Truncated, Rule: rule.TRN023, Detail: err.Error()}
	} else if !errors.As(err, &bad) {
		return err
	}
	writeFault(d.out, raw, bad)
	return exit(ExitFailed, "the message is malformed: %w (%s)", bad, bad.Rule)
}

// writeFault prints what is wrong with raw.
func writeFault(w io.Writer, raw []byte, bad *wire.Error) {
	found := string(bad.Kind)
	if bad.Detail != "" {
		found += ": " + oneLine(bad.Detail)
	}
	q, _ := rule.Embedded().Lookup(bad.Rule)
	fmt.Fprintf(w, "malformed %s, %d bytes\n\nfield        %s\noffset       byte %d\nerror        %s\nrequirement  %s, %s; section %s\n             %s\n\n",
		bad.Message, len(raw), bad.Field, bad.Offset, found, bad.Rule, q.Level, q.Section, q.Text)
	writeBytes(w, raw, bad.Offset)
}

// writeBytes prints the lines of 16 bytes around byte at, which stands in
// brackets; empty ones mark the end of the message.
func writeBytes(w io.Writer, raw []byte, at int) {
	const row, before, after = 16, 2, 2 // bytes in a row, rows around that of the fault
	at = min(max(at, 0), len(raw))
	first := max(at/row-before, 0) * row
	last := min((at/row+after+1)*row, max(len(raw), at+1))
	for start := first; start < last; start += row {
		line := fmt.Sprintf("%6d ", start)
		for i := start; i < min(start+row, last); i++ {
			switch {
			case i == at && i == len(raw):
				line += "[] end"
			case i == at:
				line += fmt.Sprintf("[%02x]", raw[i])
			case i < len(raw):
				line += fmt.Sprintf(" %02x ", raw[i])
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}
