package emulator

import (
	"errors"
	"io"
	"net/http"
)

// maxDrain bounds how much of a body that nobody wants is read and thrown away.
const maxDrain = 256 << 20

// drained reads to its end what a handler leaves of a body, after the answer has gone out. A client that is still sending
// when the connection closes would see a reset instead of its refusal, whatever the reason for that was. The server's read
// timeout bounds the time.
func drained(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 || r.Body == http.NoBody {
			next.ServeHTTP(w, r) // HTTP/2 ends one direction without the other
			return
		}
		body := &notedBody{ReadCloser: r.Body}
		noted := r.WithContext(r.Context()) // the server looks at the body of its own request
		noted.Body = body
		controller := http.NewResponseController(w)
		if err := controller.EnableFullDuplex(); err != nil { // lets the answer go out first
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, noted)
		if body.ended || !body.begun && r.Header.Get("Expect") != "" { // who waits for 100 Continue does not send after a refusal
			return
		}
		if controller.Flush() == nil {
			_, _ = io.CopyN(io.Discard, body, maxDrain)
		}
	})
}

// notedBody knows how far it has been read.
type notedBody struct {
	io.ReadCloser
	begun, ended bool
}

// Read implements io.Reader.
func (b *notedBody) Read(p []byte) (int, error) {
	b.begun = true
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}
