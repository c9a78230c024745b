package corerpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"superscalar/refnode/chain"
)

// errSlow is the cause of a context that ended by our own timeout.
var errSlow = errors.New("timeout of the call")

type request struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    *int   `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	ID *uint64 `json:"id"`
}

// Call does one remote procedure call of any name and decodes the result into result, which may be nil. It is there for what is
// not part of chain.Interface, such as mining on regtest. Errors are as for all other methods.
func (c *Client) Call(ctx context.Context, method string, result any, params ...any) error {
	if err := c.enter(ctx); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return c.call(ctx, method, result, params...)
}

func (c *Client) call(ctx context.Context, method string, result any, params ...any) error {
	raw, err := c.exchange(ctx, method, params)
	if err != nil || result == nil {
		return err
	}
	if err := json.Unmarshal(raw, result); err != nil {
		return &CallError{Call: method, Kind: ErrMalformed, Detail: "result is not what was asked for", Err: err}
	}
	return nil
}

// exchange sends a request and returns the raw result. A refused cookie is read again once: the node may have restarted.
func (c *Client) exchange(ctx context.Context, method string, params []any) (json.RawMessage, error) {
	if params == nil {
		params = []any{}
	}
	id := c.lastID.Add(1)
	body, err := json.Marshal(request{Version: "1.0", ID: id, Method: method, Params: params})
	if err != nil {
		return nil, fmt.Errorf("%s: write the request: %w", method, err)
	}
	as := *c.login.Load()
	status, text, err := c.post(ctx, method, as, body)
	if err == nil && status == http.StatusUnauthorized && c.options.CookieFile != "" {
		if fresh, failed := c.options.credentials(); failed == nil && fresh != as {
			c.login.Store(&fresh)
			status, text, err = c.post(ctx, method, fresh, body)
		}
	}
	if err != nil {
		return nil, err
	}
	return read(method, id, status, text)
}

// read takes the result out of an answer. Nodes of the old dialect report their own errors under the statuses 400, 404 and 500.
func read(method string, id uint64, status int, text []byte) (json.RawMessage, error) {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return nil, &CallError{Call: method, Kind: ErrUnauthorized, Status: status}
	}
	var a answer
	err := json.Unmarshal(text, &a)
	if status != http.StatusOK && (err != nil || a.Error == nil || a.Error.Code == nil) {
		return nil, &CallError{Call: method, Kind: ErrStatus, Status: status, Detail: quote(string(text))}
	}
	fail := func(kind error, detail string) error {
		return &CallError{Call: method, Kind: kind, Status: status, Detail: detail}
	}
	switch {
	case err != nil:
		return nil, &CallError{Call: method, Kind: ErrMalformed, Status: status, Detail: "not JSON-RPC", Err: err}
	case a.ID == nil:
		return nil, fail(ErrMalformed, "no id")
	case *a.ID != id:
		return nil, fail(ErrContradiction, fmt.Sprintf("answer to request %d, asked was %d", *a.ID, id))
	case a.Error != nil && a.Error.Code == nil:
		return nil, fail(ErrMalformed, "error without a code")
	case a.Error != nil:
		return nil, &CallError{Call: method, Kind: ErrReported, Status: status, Code: *a.Error.Code, Detail: quote(a.Error.Message)}
	case a.Result == nil:
		return nil, fail(ErrMalformed, "neither result nor error")
	default:
		return a.Result, nil
	}
}

// post does the HTTP part. It returns the body of any status.
func (c *Client) post(ctx context.Context, method string, as login, body []byte) (status int, text []byte, err error) {
	bounded, cancel := context.WithTimeoutCause(ctx, c.options.Timeout, errSlow)
	defer cancel()
	stop := context.AfterFunc(c.life, cancel)
	defer stop()
	req, err := http.NewRequestWithContext(bounded, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("%s: make the request: %w", method, err)
	}
	req.SetBasicAuth(as.user, as.password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, c.lost(ctx, bounded, method, err)
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, c.options.MaxAnswer+1))
	switch {
	case err != nil:
		return 0, nil, c.lost(ctx, bounded, method, err)
	case int64(len(text)) > c.options.MaxAnswer:
		return 0, nil, &CallError{Call: method, Kind: ErrTooLarge, Status: resp.StatusCode, Detail: fmt.Sprintf("over %d bytes", c.options.MaxAnswer)}
	}
	return resp.StatusCode, text, nil
}

// lost says why there is no answer: the caller gave up, the client was closed, time ran out, or the connection failed.
func (c *Client) lost(ctx, bounded context.Context, method string, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case c.life.Err() != nil:
		return fmt.Errorf("%s: %w", method, chain.ErrClosed)
	case errors.Is(context.Cause(bounded), errSlow):
		return &CallError{Call: method, Kind: ErrTimeout, Detail: c.options.Timeout.String()}
	default:
		return &CallError{Call: method, Kind: ErrUnreachable, Err: err}
	}
}
