package driver

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// fakeNode stands for a Lightning node: it greets whoever connects with its
// node id, where a real one would do BOLT 8.
type fakeNode struct {
	id       string
	listener net.Listener
	peers    []string
}

func newFakeNode(name string) *fakeNode {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	n := &fakeNode{id: fmt.Sprintf("02%x", sha256.Sum256([]byte(name))), listener: listener}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, n.id)
			go func() {
				if word, _ := bufio.NewReader(conn).ReadString('\n'); word == "quit\n" {
					os.Exit(0)
				}
				conn.Close()
			}()
		}
	}()
	return n
}

func (n *fakeNode) answer() map[string]any {
	return map[string]any{"ok": true, "node_id": n.id, "address": n.listener.Addr().String(), "version": fmt.Sprintf("fake/1 pid=%d", os.Getpid())}
}

// control does what the reference node's control loop does.
func (n *fakeNode) control(q Request) map[string]any {
	switch q.Cmd {
	case CmdConnect:
		id, address, _ := strings.Cut(q.Peer, "@")
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return refuse(CodeFailed, err.Error())
		}
		fmt.Fprintln(conn, n.id)
		n.peers = append(n.peers, id)
		return map[string]any{"ok": true}
	case CmdBuy:
		for _, peer := range n.peers {
			if peer == q.Peer {
				return map[string]any{"ok": true}
			}
		}
		return refuse(CodeFailed, "no such peer")
	case CmdStatus:
		var s Status
		for _, peer := range n.peers {
			s.Peers = append(s.Peers, PeerStatus{NodeID: peer})
		}
		return map[string]any{"ok": true, "peers": orEmpty(s.Peers), "channels": []any{}, "factories": []any{}}
	}
	return refuse(CodeUnknownCommand, "what?")
}

func orEmpty(p []PeerStatus) []PeerStatus {
	if p == nil {
		return []PeerStatus{}
	}
	return p
}

func refuse(code Code, why string) map[string]any {
	return map[string]any{"ok": false, "code": code, "error": why}
}

func say(id any, reply map[string]any) {
	line := map[string]any{"id": id}
	for k, v := range reply {
		line[k] = v
	}
	b, _ := json.Marshal(line)
	fmt.Printf("%s\n", b)
}

// fakeNodeProcess is the program the templates start:
// node ROLE --datadir D --listen 127.0.0.1:0 --json. FAKE_NODE makes it fail.
func fakeNodeProcess(args []string) {
	fault := os.Getenv("FAKE_NODE")
	want := []string{"--datadir", "", "--listen", "127.0.0.1:0", "--json"}
	for i, w := range want {
		if len(args) < 6 || w != "" && args[i+1] != w {
			fmt.Fprintln(os.Stderr, "bad arguments:", args)
			os.Exit(2)
		}
	}
	if fault == "not-ready" {
		fmt.Println("panic: no chain")
		os.Exit(1)
	}
	if err := os.WriteFile(args[2]+"/data", nil, 0o600); err != nil {
		panic(err)
	}
	n := newFakeNode(args[0] + args[2])
	if len(args) > 6 && fault == "" { // an extra argument shows in the node id
		n.id = "03" + strings.Repeat("e", 64-len(args[6])) + args[6]
	}
	ready, _ := json.Marshal(n.answer())
	fmt.Printf(`{"event":"ready",%s`+"\n", ready[1:])
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var q Request
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			say(nil, refuse(CodeBadRequest, err.Error()))
			continue
		}
		switch {
		case fault == "die-on-buy" && q.Cmd == CmdBuy:
			os.Exit(1)
		case fault == "hang-on-buy" && q.Cmd == CmdBuy:
			hang()
		case q.Cmd == CmdStop:
			say(q.ID, map[string]any{"ok": true})
			return
		}
		say(q.ID, n.control(q))
	}
	if fault == "ignore-eof" {
		hang()
	}
}

// fakeDriver is a driver that is right but for one fault. A fault of the
// protocol shows at the command status, so that the handshake passes.
func fakeDriver(fault string) {
	if fault == "deaf" {
		ignoreTerm()
	}
	if fault == "ignore-eof" {
		holdLine()
	}
	if fault == "litter" {
		path, _ := os.Executable()
		cmd := exec.Command(path, "litter")
		if err := cmd.Start(); err != nil {
			panic(err)
		}
	}
	var node *fakeNode
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, MaxLine+1)
	for in.Scan() {
		var q Request
		err := json.Unmarshal(in.Bytes(), &q)
		switch {
		case q.ID == 0 && fault == "bad-line-ok":
			say(nil, map[string]any{"ok": true})
			continue
		case q.ID == 0:
			say(nil, refuse(CodeBadRequest, "no JSON"))
			continue
		case err != nil:
			say(q.ID, refuse(CodeBadRequest, err.Error()))
			continue
		}
		if q.Cmd == CmdStatus && misbehave(fault, q) {
			continue
		}
		reply := fakeObey(fault, q, &node)
		say(q.ID, reply)
	}
	if fault == "ignore-eof" || fault == "deaf" {
		hang()
	}
}

// misbehave writes what a broken driver would instead of a reply.
func misbehave(fault string, q Request) bool {
	switch fault {
	case "garbage":
		fmt.Println("INFO \x1b[31mnode started\x07" + strings.Repeat("x", 200))
	case "empty":
		fmt.Println()
	case "array":
		fmt.Println("[1]")
	case "null":
		fmt.Println("null")
	case "die":
		for i := range 30 {
			fmt.Fprintf(os.Stderr, "trouble %d\n", i)
		}
		os.Exit(3)
	case "half":
		fmt.Print(`{"id":2,"o`)
		os.Exit(0)
	case "close":
		os.Stdout.Close()
		hang()
	case "hang":
		return true
	case "huge":
		fmt.Println(`{"id":` + strings.Repeat(" ", MaxLine) + "}")
	case "wrong-id":
		say(q.ID+1, map[string]any{"ok": true})
	case "string-id":
		say("2", map[string]any{"ok": true})
	case "no-id":
		fmt.Println(`{"ok":true}`)
	case "no-ok":
		fmt.Printf(`{"id":%d}`+"\n", q.ID)
	case "ok-text":
		say(q.ID, map[string]any{"ok": "yes"})
	case "odd-code":
		say(q.ID, refuse("nope", "no"))
	case "two-line-error":
		say(q.ID, refuse(CodeFailed, "one\ntwo"))
	case "bad-status":
		say(q.ID, map[string]any{"ok": true, "peers": nil, "channels": []any{}, "factories": []any{}})
	case "twice":
		say(q.ID, map[string]any{"ok": true, "peers": []any{}, "channels": []any{}, "factories": []any{}})
		say(q.ID, map[string]any{"ok": true, "peers": []any{}, "channels": []any{}, "factories": []any{}})
	default:
		return false
	}
	return true
}

// fakeObey does one command, with the faults that Doctor has to find.
func fakeObey(fault string, q Request, node **fakeNode) map[string]any {
	known := strings.Contains(" start stop connect buy invoice pay leave status ", " "+string(q.Cmd)+" ")
	bad := q.Cmd == CmdStart && q.Role != RoleLSP && q.Role != RoleClient || q.Cmd == CmdConnect && !strings.Contains(q.Peer, "@")
	switch {
	case !known && fault == "nonsense":
		return map[string]any{"ok": true}
	case !known && fault == "nonsense-failed":
		return refuse(CodeFailed, "no")
	case !known:
		return refuse(CodeUnknownCommand, "what?")
	case bad && fault != "unchecked":
		return refuse(CodeBadRequest, "no")
	case q.Cmd == CmdPay && fault == "pays-anything":
		return map[string]any{"ok": true, "preimage": strings.Repeat("00", 32)}
	case q.Cmd == CmdInvoice && fault == "unknown-invoice":
		return refuse(CodeUnknownCommand, "what?")
	case q.Cmd == CmdInvoice || q.Cmd == CmdPay || q.Cmd == CmdLeave:
		return refuse(CodeUnsupported, "no")
	case q.Cmd == CmdStart:
		*node = newFakeNode("first")
		return fakeStart(fault, *node)
	case *node == nil:
		return refuse(CodeFailed, "no node runs")
	case q.Cmd == CmdStop && q.Restart:
		(*node).listener.Close()
		name := "first"
		if fault == "forgets" {
			name = "second"
		}
		*node = newFakeNode(name)
		return (*node).answer()
	case q.Cmd == CmdStop:
		if fault != "stays" {
			(*node).listener.Close()
		}
		*node = nil
		return map[string]any{"ok": true}
	case q.Cmd == CmdConnect && fault == "lies":
		return map[string]any{"ok": true}
	case q.Cmd == CmdStatus && fault == "lists-nobody":
		(*node).peers = nil
	}
	return (*node).control(q)
}

func fakeStart(fault string, node *fakeNode) map[string]any {
	answer := node.answer()
	switch fault {
	case "bad-node-id":
		answer["node_id"] = "02ABC"
	case "other-node-id":
		answer["node_id"] = nobody
	case "no-address":
		delete(answer, "address")
	case "orphan": // its node survives in a session of its own
		path, _ := os.Executable()
		dir, _ := os.MkdirTemp("", "orphan")
		cmd := exec.Command(path, "node", "lsp", "--datadir", dir, "--listen", "127.0.0.1:0", "--json")
		cmd.Env = append(os.Environ(), "FAKE_NODE=ignore-eof")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		line, _ := bufio.NewReader(out).ReadBytes('\n')
		var ready Ready
		if err := json.Unmarshal(line, &ready); err != nil {
			panic(err)
		}
		answer["node_id"], answer["address"] = ready.NodeID, ready.Address
	}
	return answer
}

func ignoreTerm() { signal.Ignore(syscall.SIGTERM) }

// holdLine connects to the test: the end of that connection is the end of this
// process. A test that has given up hangs up, and the process goes too.
func holdLine() {
	conn, err := net.Dial("tcp", os.Getenv("HOLD_LINE"))
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(conn, "here")
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		os.Exit(1)
	}()
}

// hang does nothing for ever, without the runtime calling it a deadlock.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}
