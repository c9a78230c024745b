package musig

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// newNonce makes a nonce and returns its numbers beside it.
func newNonce(t testing.TB, key *SecretKey) (*SecretNonce, *nonceScalars) {
	t.Helper()
	first, second := number("nonce", 1), number("nonce", 2)
	scalars := &nonceScalars{hashScalar(first), hashScalar(second)}

	return newSecretNonce(scalars, key.public.raw), scalars
}

// printed returns the ways in which an output could give a number away.
func printed(s scalar) []string {
	raw := s.Bytes()
	out := []string{fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw),
		fmt.Sprint(raw), fmt.Sprint(raw[:8])[1:20], s.String()}
	words := reflect.ValueOf(s).Field(0)
	for i := range words.Len() {
		out = append(out, fmt.Sprint(words.Index(i).Uint()),
			fmt.Sprintf("%x", words.Index(i).Uint()))
	}

	return out
}

func TestSecretsDoNotPrint(t *testing.T) {
	key := secretKey(t, "print", 0)
	nonce, scalars := newNonce(t, key)
	var hidden []string
	hidden = append(hidden, printed(key.scalar())...)
	hidden = append(hidden, printed(scalars[0])...)
	hidden = append(hidden, printed(scalars[1])...)

	type holder struct {
		Nonce *SecretNonce
		Key   *SecretKey
		nonce *SecretNonce
	}
	held := holder{nonce, key, nonce}
	for _, verb := range "vTtbcdoOqxXUeEfFgGsp" {
		for _, flags := range []string{"", "+", "#", " ", "0", "-"} {
			format := "%" + flags + string(verb)
			for _, value := range []any{nonce, key, held, &held,
				[]any{nonce, key}, reflect.ValueOf(nonce).Elem().Interface(),
				reflect.ValueOf(key).Elem().Interface()} {

				out := fmt.Sprintf(format, value)
				for _, secret := range hidden {
					if strings.Contains(out, secret) {
						t.Fatalf("%s prints %s in %s", format,
							secret, out)
					}
				}
			}
			if verb == 'T' || verb == 'p' {
				continue // the type and the address
			}
			if out := fmt.Sprintf(format, nonce); out != "[secret nonce]" {
				t.Fatalf("%s prints %s", format, out)
			}
			if out := fmt.Sprintf(format, key); out != "[secret key]" {
				t.Fatalf("%s prints %s", format, out)
			}
		}
	}
	for _, out := range []string{nonce.String(), nonce.GoString()} {
		if out != "[secret nonce]" {
			t.Fatal(out)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "nonce", nonce)
	if !strings.Contains(log.String(), `nonce="[secret nonce]"`) {
		t.Fatal(log.String())
	}
}

// TestSecretsAreOutOfReach walks through everything that reflection reaches
// from a secret and looks for numbers.
func TestSecretsAreOutOfReach(t *testing.T) {
	key := secretKey(t, "reach", 0)
	nonce, _ := newNonce(t, key)
	for _, value := range []any{nonce, key} {
		var walk func(v reflect.Value)
		walk = func(v reflect.Value) {
			switch v.Kind() {
			case reflect.Pointer, reflect.Interface:
				if !v.IsNil() {
					walk(v.Elem())
				}
			case reflect.Struct:
				if v.Type() == reflect.TypeFor[scalar]() {
					t.Errorf("%T holds a scalar", value)
				}
				for i := range v.NumField() {
					walk(v.Field(i))
				}
			case reflect.Slice, reflect.Map, reflect.Chan:
				t.Errorf("%T holds a %s", value, v.Kind())
			}
		}
		walk(reflect.ValueOf(value))
	}
}

func TestSecretsAreNotEncoded(t *testing.T) {
	type holder struct {
		Nonce *SecretNonce
		Key   *SecretKey
	}
	key := secretKey(t, "encode", 0)
	nonce, _ := newNonce(t, key)
	encoders := map[string]func(any) error{
		"json": func(v any) error { _, err := json.Marshal(v); return err },
		"xml":  func(v any) error { _, err := xml.Marshal(v); return err },
		"gob":  func(v any) error { return gob.NewEncoder(io.Discard).Encode(v) },
	}
	for name, encode := range encoders {
		for _, secret := range []any{nonce, key,
			&holder{Nonce: nonce}, &holder{Key: key}} {

			if err := encode(secret); !errors.Is(err, ErrSecret) {
				t.Errorf("%s of %T: %v", name, secret, err)
			}
		}
	}
	for name, encode := range map[string]func() ([]byte, error){
		"text": nonce.MarshalText, "json": nonce.MarshalJSON,
		"binary": nonce.MarshalBinary, "gob": nonce.GobEncode,
	} {
		if raw, err := encode(); raw != nil || !errors.Is(err, ErrSecret) {
			t.Errorf("%s: %x, %v", name, raw, err)
		}
	}
}

// TestSecretNonceIsNoCopy looks for the method by which go vet's copylocks
// recognises a type that must not be copied.
func TestSecretNonceIsNoCopy(t *testing.T) {
	typ := reflect.TypeFor[SecretNonce]()
	for i := range typ.NumField() {
		pointer := reflect.PointerTo(typ.Field(i).Type)
		if pointer.Implements(reflect.TypeFor[sync.Locker]()) {
			return
		}
	}
	t.Fatal("no field of SecretNonce is a Locker")
}

func TestSecretNonceSignsOnce(t *testing.T) {
	p := newParty(t, "once", 2)
	fresh := func() *SecretNonce {
		nonce, _ := newNonce(t, p.secrets[0])
		return nonce
	}
	used := func(t *testing.T, nonce *SecretNonce) {
		t.Helper()
		sig, err := p.session.Sign(nonce, p.secrets[0])
		if !errors.Is(err, ErrNonceUsed) || sig != (PartialSignature{}) {
			t.Fatalf("%x, %v", sig, err)
		}
	}
	t.Run("second signature", func(t *testing.T) {
		nonce := fresh()
		must(p.session.Sign(nonce, p.secrets[0]))(t)
		used(t, nonce)
	})
	t.Run("copy", func(t *testing.T) {
		nonce := fresh()
		// What go vet would report if it were written with an equals sign.
		copied := reflect.New(reflect.TypeFor[SecretNonce]())
		copied.Elem().Set(reflect.ValueOf(nonce).Elem())
		must(p.session.Sign(nonce, p.secrets[0]))(t)
		used(t, copied.Interface().(*SecretNonce))
	})
	t.Run("discarded", func(t *testing.T) {
		nonce := fresh()
		nonce.Discard()
		nonce.Discard()
		used(t, nonce)
	})
	t.Run("zero value", func(t *testing.T) { used(t, &SecretNonce{}) })
	t.Run("nil", func(t *testing.T) {
		(*SecretNonce)(nil).Discard()
		used(t, nil)
	})
	t.Run("overwritten", func(t *testing.T) {
		nonce, scalars := newNonce(t, p.secrets[0])
		must(p.session.Sign(nonce, p.secrets[0]))(t)
		if !scalars[0].IsZero() || !scalars[1].IsZero() {
			t.Fatal("the numbers are still there")
		}
	})
	t.Run("another key, gone all the same", func(t *testing.T) {
		nonce := fresh()
		if _, err := p.session.Sign(nonce, p.secrets[1]); !errors.Is(err,
			ErrNonceKey) {
			t.Fatal(err)
		}
		used(t, nonce)
	})
	t.Run("no key", func(t *testing.T) {
		for _, key := range []*SecretKey{nil, {}} {
			if _, err := p.session.Sign(fresh(), key); !errors.Is(err,
				ErrSecretKey) {
				t.Fatal(err)
			}
		}
	})
}

// TestSecretNonceRace has many goroutines sign different messages with one
// nonce: one of them does.
func TestSecretNonceRace(t *testing.T) {
	p := newParty(t, "race", 2)
	sum := must(AggregateNonces(p.nonces))(t)
	const goroutines = 16
	for range 20 {
		nonce, _ := newNonce(t, p.secrets[0])
		errs := make([]error, goroutines)
		start := make(chan struct{})
		var wait sync.WaitGroup
		for i := range goroutines {
			session := must(NewSession(p.agg, sum, number("race", i)))(t)
			wait.Go(func() {
				<-start
				_, errs[i] = session.Sign(nonce, p.secrets[0])
			})
		}
		close(start)
		wait.Wait()
		signed := 0
		for _, err := range errs {
			switch {
			case err == nil:
				signed++
			case !errors.Is(err, ErrNonceUsed):
				t.Fatal(err)
			}
		}
		if signed != 1 {
			t.Fatalf("%d signatures with one nonce", signed)
		}
	}
}
