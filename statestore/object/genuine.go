package object

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// genuine passes on what a store answers. A proxy in front of it, such as one that wants
// people to log in, answers everything with a page and status 200: read as a store's
// answer, that would be an empty bucket, or an object that was written. Whoever asks gets
// an error instead, and asks again.
type genuine struct{ inner http.RoundTripper }

// listingHead is within how many bytes a listing says that it is one.
const listingHead = 1024

// RoundTrip implements http.RoundTripper.
func (g genuine) RoundTrip(req *http.Request) (*http.Response, error) {
	r, err := g.inner.RoundTrip(req)
	if err != nil || r.StatusCode != http.StatusOK && r.StatusCode != http.StatusPartialContent {
		return r, err
	}
	query, tagged := req.URL.Query(), r.Header.Get("ETag") != ""
	switch {
	case query.Has("list-type"):
		body := bufio.NewReaderSize(r.Body, listingHead)
		head, err := body.Peek(listingHead)
		if err != nil && err != io.EOF {
			_ = r.Body.Close()
			return nil, err
		}
		if bytes.Contains(head, []byte("<ListBucketResult")) {
			r.Body = readCloser{body, r.Body}
			return r, nil
		}
	case tagged, !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") && (req.Method != http.MethodPut || len(query) > 0 || isBucket(req)):
		return r, nil
	}
	_ = r.Body.Close()
	return nil, fmt.Errorf("%s answers %s with %q and no object store's answer: is a proxy in between?", req.URL.Host, req.Method, r.Header.Get("Content-Type"))
}

// isBucket reports whether a request is about a bucket, not about an object in it.
func isBucket(req *http.Request) bool {
	return !strings.Contains(strings.Trim(req.URL.Path, "/"), "/")
}

type readCloser struct {
	io.Reader
	io.Closer
}
