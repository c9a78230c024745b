package cli

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"superscalar/vectors"
	"superscalar/wire"
)

func TestDecodeScreens(t *testing.T) {
	point := "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	for _, row := range []struct{ name, args, want string }{
		{"ping", "0012 0004 0002 abcd", `ping, 8 bytes
     0  type                                18
     2  num_pong_bytes                      4
     4  byteslen                            2
     6  ignored                             abcd
`},
		{"init", "0010 0000 0006 800000000000 0120" + strings.Repeat("06", 32) + "0b00", `init, 48 bytes
     0  type                                16
     2  gflen                               0
     4  globalfeatures                      (empty)
     4  flen                                6
     6  features                            800000000000  bits 47
    12  networks                            record 1, 32 bytes
    14    chain_hash 0                      0606060606060606060606060606060606060606060606060606060606060606
    46  record 11                           0 bytes
    48    value                             (empty)
`},
		{"warning", "0001" + strings.Repeat("00", 32) + "0005 68656c6c6f", `warning, 41 bytes
     0  type                                1
     2  channel_id                          0000000000000000000000000000000000000000000000000000000000000000
    34  len                                 5
    36  data                                68656c6c6f  "hello"
`},
		{"factory", "8020 0006 fd060049" + strings.Repeat("11", 32) + "ffffffffffffff9c" + point, `factory_change_init, 81 bytes
     0  type                                32800
     2  factory_submessage_id               6
     4  factory_change                      record 1536, 73 bytes
     8    channel_id                        1111111111111111111111111111111111111111111111111111111111111111
    40    funding_contribution_satoshis     -100
    48    funding_pubkey                    ` + point + `
`},
		{"unknown odd", "9999 00", "unknown, 3 bytes\n     0  type                                39321 (unknown and odd: ignored, TRN-020)\n     2  payload                             00\n"},
		{"unknown even, long", "8022" + strings.Repeat("00", 65), "unknown, 67 bytes\n     0  type                                32802 (unknown and even: the connection is closed, TRN-021)\n" +
			"     2  payload                             " + strings.Repeat("00", 64) + "... (65 bytes, --full shows all)\n"},
		{"in full", "--full 8022" + strings.Repeat("00", 65), "unknown, 67 bytes\n     0  type                                32802 (unknown and even: the connection is closed, TRN-021)\n" +
			"     2  payload                             " + strings.Repeat("00", 65) + "\n"},
		{"compat", "--compat 80e90063 aabb", "factory_message, 6 bytes\n     0  type                                33001\n     2  factory_submessage_id               99\n     4  rest                                aabb\n"},
		{"gossip", "0100 aabb", "channel_announcement, 4 bytes\n     0  type                                256\n     2  payload                             aabb\n"},
		{"payload", "--payload 0001 0101ff", "superscalar message, 5 bytes\n     0  type                                1\n     2  record 1                            1 bytes\n     4    value                             ff\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := run("", append([]string{"decode"}, strings.Fields(row.args)...)...)
			got.checkOK(t)
			if diff := cmp.Diff(row.want, got.out); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDecodeFaults(t *testing.T) {
	for _, row := range []struct{ name, args, want string }{
		{"inside", "8020 0004 fd0400 00 00 20" + strings.Repeat("05", 32), `malformed factory_piggyback, 42 bytes

field        factory_protocol_id
offset       byte 8
error        order: type 0 after 1024
`},
		{"at the end", "0012 0004 0002 ab", `malformed ping, 7 bytes

field        ignored
offset       byte 6
error        truncated: 2 bytes wanted, 1 left
requirement  TRN-043, MUST; section 2.3 BigSize and TLV streams
             A reader MUST fail to parse a message whose fixed fields end early.

     0  00  12  00  04  00  02 [ab]
`},
		{"missing", "8020 0002", `malformed supported_factory_protocols, 4 bytes

field        factory_protocol_ids
offset       byte 4
error        missing
requirement  PCF-024, MUST; section 3.3 ` + "`supported_factory_protocols`" + `
             A node that receives ` + "`supported_factory_protocols` without `factory_protocol_ids` MUST send a `warning` and close the connection." + `

     0  80  20  00  02 [] end
`},
		{"rows around", "0012 0000 0040" + strings.Repeat("00", 64) + "0b00 0b00" + strings.Repeat("0d00", 20), `malformed ping, 114 bytes

field        record 11
offset       byte 72
error        order: type 11 after 11
requirement  TRN-033, MUST; section 2.3 BigSize and TLV streams
             A reader MUST fail to parse a ` + "`tlv_stream`" + ` whose types are not strictly increasing.

    32  00  00  00  00  00  00  00  00  00  00  00  00  00  00  00  00
    48  00  00  00  00  00  00  00  00  00  00  00  00  00  00  00  00
    64  00  00  00  00  00  00  0b  00 [0b] 00  0d  00  0d  00  0d  00
    80  0d  00  0d  00  0d  00  0d  00  0d  00  0d  00  0d  00  0d  00
    96  0d  00  0d  00  0d  00  0d  00  0d  00  0d  00  0d  00  0d  00
`},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := run("", append([]string{"decode"}, strings.Fields(row.args)...)...)
			got.checkError(t, ExitFailed, "the message is malformed: ")
			if !strings.HasPrefix(got.out, row.want) {
				t.Errorf("(-want +got)\n%s", cmp.Diff(row.want, got.out))
			}
		})
	}
}

func TestDecodeInput(t *testing.T) {
	want := run("", "decode", "001200040000")
	want.checkOK(t, "num_pong_bytes")
	for _, row := range []struct {
		name, in string
		args     []string
	}{
		{"blanks", "", []string{" 00 12\t0004\n0000 "}},
		{"arguments", "", []string{"0012", "0004", "0000"}},
		{"0x", "", []string{"0x001200040000"}},
		{"0x each", "", []string{"0x00", "0X12", "0x0004", "0000"}},
		{"standard input", "0x0012\n0004\r\n0000\n", []string{"-"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := run(row.in, append([]string{"decode"}, row.args...)...)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	long := strings.Repeat("00", maxHexInput)
	run(long, "decode", "-").checkError(t, ExitUsage, "longer than 1048576 bytes")
	run(long[:2*(wire.MaxMessage+1)], "decode", "-").checkError(t, ExitFailed, "too-long")
	run("\x00\x12", "decode", "-").checkError(t, ExitUsage, "is no hexadecimal digit")
}

// Every good vector of a message is printed with all its fields and records,
// every bad one with the fault it was made for.
func TestDecodeTheVectors(t *testing.T) {
	files, err := vectors.Load()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		for _, v := range f.Vectors {
			args, names := decodeArgs(v)
			if args == nil {
				continue
			}
			n++
			if args[len(args)-1] == "" {
				run("", append([]string{"decode"}, args...)...).checkError(t, ExitUsage, "HEX is empty")
				continue
			}
			got := run("", append([]string{"decode"}, args...)...)
			if want := v.Fails(); want != nil {
				got.checkError(t, ExitFailed, fmt.Sprintf("(%s)", want.Rule))
				names = []string{"field        " + want.Field + "\n", "requirement  " + string(want.Rule) + ", "}
				if want.Offset != nil {
					names = append(names, fmt.Sprintf("offset       byte %d\n", *want.Offset))
				}
			} else {
				got.checkOK(t)
			}
			for _, name := range names {
				if !strings.Contains(got.out, name) {
					t.Errorf("%s: %q is not in\n%s", v.About().Name, name, got.out)
				}
			}
		}
	}
	if n == 0 {
		t.Error("there are no vectors of messages")
	}
}

// decodeArgs are the arguments that decode a vector, nil for one that is no
// message, and what has to be printed for it.
func decodeArgs(v vectors.Vector) (args, names []string) {
	switch v := v.(type) {
	case *vectors.Message:
		if v.Envelope == uint16(wire.TypeFactoryCompat) {
			args = append(args, "--compat")
		}
		for _, o := range []vectors.Object{v.Fields, v.Records} {
			for _, m := range o {
				if !strings.HasSuffix(m.Name, "signatures") {
					names = append(names, "  "+m.Name+" ")
				}
			}
		}
		for _, r := range v.Unknown {
			names = append(names, fmt.Sprintf("  record %d ", r.Type))
		}
		return append(args, hex.EncodeToString(v.Bytes)), names
	case *vectors.Payload:
		return []string{"--payload", hex.EncodeToString(v.Bytes)}, nil
	}
	return nil, nil
}
