package driver

import (
	"fmt"
	"strings"
)

// Split cuts a command line into arguments without a shell. Blanks separate
// arguments. Between single quotes everything stands for itself; between
// double quotes only \" and \\ are special; outside quotes a backslash takes
// the next character as it is. Quoted and bare parts that touch form one
// argument; a pair of quotes with nothing between is an empty one. Nothing else
// happens: no variables, no globbing, no redirection, no pipes. Errors match
// ErrCommandLine.
func Split(command string) ([]string, error) {
	var args []string
	var word strings.Builder
	inWord, escaped := false, false
	var quote rune
	for _, r := range command {
		switch {
		case escaped:
			if quote == '"' && r != '"' && r != '\\' {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if inWord {
				args = append(args, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("driver: %w: a %c is never closed in %q", ErrCommandLine, quote, command)
	case escaped:
		return nil, fmt.Errorf("driver: %w: it ends in a backslash: %q", ErrCommandLine, command)
	}
	if inWord {
		args = append(args, word.String())
	}
	if len(args) == 0 || args[0] == "" {
		return nil, fmt.Errorf("driver: %w: it names no program: %q", ErrCommandLine, command)
	}
	return args, nil
}
