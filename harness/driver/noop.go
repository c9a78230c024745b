package driver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// SayOK is the driver that does nothing: it answers ok to every line until rw
// ends. It exists to be refused by the handshake.
func SayOK(rw io.ReadWriter) {
	sc := bufio.NewScanner(rw)
	for sc.Scan() {
		var req struct {
			ID json.RawMessage `json:"id"`
		}
		if json.Unmarshal(sc.Bytes(), &req) != nil {
			return
		}
		if _, err := fmt.Fprintf(rw, "{\"id\":%s,\"ok\":true}\n", req.ID); err != nil {
			return
		}
	}
}
