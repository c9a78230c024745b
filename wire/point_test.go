package wire_test

import (
	"errors"
	"testing"

	"superscalar/wire"
)

// A codec that is told how to check points asks for every point it reads, and
// refuses what the answer refuses.
func TestCodecAsksAboutPoints(t *testing.T) {
	good := wire.Point{2, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
		0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98}
	var asked []wire.Point
	var answer error
	codec := wire.Codec{Point: func(p wire.Point) error {
		asked = append(asked, p)
		return answer
	}}
	r := codec.NewReader("test", good[:])
	if r.Point("key"); r.Err() != nil || len(asked) != 1 || asked[0] != good {
		t.Errorf("%d points were asked about, error %v", len(asked), r.Err())
	}
	answer = errors.New("not today")
	r = codec.NewReader("test", good[:])
	r.Point("key")
	var refused *wire.Error
	if !errors.As(r.Err(), &refused) || refused.Kind != wire.BadPoint {
		t.Errorf("a point that is refused gives %v", r.Err())
	}
}
