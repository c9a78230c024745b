package transport

import (
	"errors"
	"testing"

	"superscalar/wire/rule"
)

func TestMutantsOfTheMachine(t *testing.T) {
	t.Run("version of act one", func(t *testing.T) {
		m, err := NewResponder(testKey(serverKey), nil,
			rule.Without(ruleVersion))
		if err != nil {
			t.Fatal(err)
		}
		act := firstAct(t)
		act[0] = 1
		if answer, err := m.Feed(act); err != nil || len(answer) != 50 {
			t.Fatalf("got %x, %v", answer, err)
		}
	})
	t.Run("version of act two", func(t *testing.T) {
		for _, off := range []rule.ID{ruleVersion, ruleInitiator} {
			c := loadAppendixA(t).Handshakes[0]
			m := c.machine(t, rule.Without(off))
			if _, err := m.Start(); err != nil {
				t.Fatal(err)
			}
			act := c.Steps[1].Feed
			act[0] = 1
			_, err := m.Feed(act)
			if off == ruleInitiator && err != nil {
				t.Errorf("without %s: %v", off, err)
			}
			if off == ruleVersion {
				wantClass(t, err, Act2BadVersion)
			}
		}
	})
	t.Run("rotation", func(t *testing.T) {
		from, to := appendixPair(t, rule.Without(ruleRotate))
		for i := range 501 {
			frame, err := from.EncryptMessage([]byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = to.DecryptMessage(frame)
			if want := i >= 500; errors.Is(err, ErrBadMAC) != want {
				t.Fatalf("message %d: %v", i, err)
			}
		}
	})
}
