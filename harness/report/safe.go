package report

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printable returns text with everything escaped that a terminal, an XML
// reader or a browser could act on instead of showing it: control and format
// characters (colour codes, line breaks, direction overrides), odd spaces,
// and bytes that are not UTF-8. Text that is already printable is returned
// as it is, so escaping twice changes nothing.
func printable(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return b.String()
}

// cleaned returns a deep copy of v in which every string is printable. Each
// renderer works on such a copy, so that no field can be forgotten.
func cleaned[T any](v *T) *T {
	out := new(T)
	copyPrintable(reflect.ValueOf(out).Elem(), reflect.ValueOf(v).Elem())
	return out
}

func copyPrintable(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.String:
		to.SetString(printable(from.String()))
	case reflect.Struct:
		for i := range from.NumField() {
			copyPrintable(to.Field(i), from.Field(i))
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			copyPrintable(to.Index(i), from.Index(i))
		}
	case reflect.Pointer:
		if from.IsNil() {
			return
		}
		to.Set(reflect.New(from.Type().Elem()))
		copyPrintable(to.Elem(), from.Elem())
	default:
		to.Set(from)
	}
}

// clip shortens text to at most limit characters and says how many it left
// out: a peer may send 65,533 bytes of text.
func clip(text string, limit int) string {
	n := utf8.RuneCountInString(text)
	if n <= limit {
		return text
	}
	return fmt.Sprintf("%s ... (%d more characters)", string([]rune(text)[:limit]), n-limit)
}

// wrap breaks text into lines of at most width characters at spaces. A longer
// word keeps a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// quantity is a number with its noun: "1 case", "2 cases".
func quantity(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, plural(noun))
}

func plural(noun string) string {
	if strings.HasSuffix(noun, "mismatch") {
		return noun + "es"
	}
	return noun + "s"
}
