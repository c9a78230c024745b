package driver

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

// templateNames maps the names of Template to files, in the order listed.
var templateNames = []struct{ name, file string }{
	{"python", "templates/driver.py"},
	{"javascript", "templates/driver.js"},
}

// Templates returns the names that Template knows.
func Templates() []string {
	var names []string
	for _, t := range templateNames {
		names = append(names, t.name)
	}
	return names
}

// Template returns the source of a finished driver, "python" or "javascript",
// at most 100 lines, that drives the reference node: the program named by the
// environment variable SUPERSCALAR (default "superscalar"), run as
// "node ROLE --datadir D --listen 127.0.0.1:0 --json" with the words of
// SUPERSCALAR_NODE_ARGS appended. What has to change for another node is
// marked ADAPT. An unknown name gives ErrNoTemplate.
func Template(name string) (string, error) {
	for _, t := range templateNames {
		if t.name != name {
			continue
		}
		source, err := templateFiles.ReadFile(t.file)
		return string(source), err
	}
	return "", fmt.Errorf("driver: %w: %q, there is %s", ErrNoTemplate, name, strings.Join(Templates(), " and "))
}
