package object

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// nonceHeader marks an object with the attempt that made it: when an answer is
// lost and the client sends a request again, the refusal of the second may only
// mean that the first one worked.
const nonceHeader = "Millrace-Attempt"

// Bucket is a prefix in an S3 bucket: MinIO, or any that takes conditional writes.
type Bucket struct {
	client *minio.Client
	url    string
	bucket string
	prefix string // "" or ends with a slash
}

func openBucket(u *url.URL, opt Options) (*Bucket, error) {
	if u.Host == "" {
		return nil, fmt.Errorf("objects URL %q names no bucket: want s3://bucket/prefix?endpoint=…", u.Redacted())
	}
	query := u.Query()
	for name := range query {
		if name != "endpoint" && name != "region" {
			return nil, fmt.Errorf("objects URL %q: unknown parameter %q, valid are endpoint and region", u.Redacted(), name)
		}
	}
	host, secure := "s3.amazonaws.com", true
	if e := query.Get("endpoint"); e != "" {
		eu, err := url.Parse(e)
		if err != nil || eu.Host == "" || eu.Scheme != "http" && eu.Scheme != "https" {
			return nil, fmt.Errorf("objects URL %q: endpoint must be http://host:port or https://host:port", u.Redacted())
		}
		host, secure = eu.Host, eu.Scheme == "https"
	}
	creds := credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.EnvMinio{}})
	if opt.AccessKey != "" {
		creds = credentials.NewStaticV4(opt.AccessKey, opt.SecretKey, "")
	}
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fmt.Errorf("objects URL %q: %w", u.Redacted(), err)
	}
	client, err := minio.New(host, &minio.Options{Creds: creds, Secure: secure, Region: query.Get("region"), MaxRetries: 4, Transport: genuine{transport}})
	if err != nil {
		return nil, fmt.Errorf("objects URL %q: %w", u.Redacted(), err)
	}
	b := &Bucket{client: client, bucket: u.Host, prefix: strings.Trim(u.Path, "/")}
	if b.prefix != "" {
		b.prefix += "/"
	}
	clean := url.URL{Scheme: "s3", Host: u.Host, Path: "/" + strings.TrimSuffix(b.prefix, "/")}
	b.url = strings.TrimSuffix(clean.String(), "/")
	if len(query) > 0 {
		b.url += "?" + strings.ReplaceAll(strings.ReplaceAll(query.Encode(), "%3A", ":"), "%2F", "/")
	}
	return b, nil
}

// URL implements Store.
func (b *Bucket) URL() string { return b.url }

// MakeBucket makes the bucket if it is not there.
func (b *Bucket) MakeBucket(ctx context.Context) error {
	there, err := b.client.BucketExists(ctx, b.bucket)
	if err != nil || there {
		return b.translate("look for bucket", b.bucket, err)
	}
	return b.translate("make bucket", b.bucket, b.client.MakeBucket(ctx, b.bucket, minio.MakeBucketOptions{}))
}

// translate gives an error its meaning.
func (b *Bucket) translate(what, name string, err error) error {
	if err == nil {
		return nil
	}
	var r minio.ErrorResponse
	if errors.As(err, &r) {
		switch {
		case r.Code == "NoSuchBucket":
			return fmt.Errorf("%s %s: bucket %q does not exist", what, name, b.bucket)
		case r.StatusCode == http.StatusPreconditionFailed:
			return fmt.Errorf("%s %s: %w", what, name, ErrChanged)
		case r.Code == "InvalidRange":
			return fmt.Errorf("%s %s: %w", what, name, ErrShort)
		case r.Code == "NoSuchKey" || r.StatusCode == http.StatusNotFound:
			return fmt.Errorf("%s %s: %w", what, name, ErrNotFound)
		}
	}
	return fmt.Errorf("%s %s: %w", what, name, err)
}

func (b *Bucket) put(ctx context.Context, name string, data []byte, condition func(*minio.PutObjectOptions)) error {
	if err := checkName(name); err != nil {
		return err
	}
	opt := minio.PutObjectOptions{DisableMultipart: true, ContentType: "application/octet-stream"}
	if condition != nil {
		condition(&opt)
	}
	_, err := b.client.PutObject(ctx, b.bucket, b.prefix+name, bytes.NewReader(data), int64(len(data)), opt)
	return err
}

// conditional puts under a condition. refused is what its failure means.
func (b *Bucket) conditional(ctx context.Context, what, name string, data []byte, refused error, condition func(*minio.PutObjectOptions)) error {
	var id [12]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	nonce := hex.EncodeToString(id[:])
	for try := 0; ; try++ {
		err := b.put(ctx, name, data, func(opt *minio.PutObjectOptions) {
			opt.UserMetadata = map[string]string{nonceHeader: nonce}
			condition(opt)
		})
		var r minio.ErrorResponse
		if !errors.As(err, &r) {
			return b.translate(what, name, err)
		}
		switch {
		case r.StatusCode == http.StatusConflict && try < 5:
			continue // another writer is at it: ask again who won
		case r.StatusCode == http.StatusPreconditionFailed, refused == ErrChanged && r.Code == "NoSuchKey":
			info, err := b.client.StatObject(ctx, b.bucket, b.prefix+name, minio.StatObjectOptions{})
			if err == nil && info.UserMetadata[nonceHeader] == nonce {
				return nil
			}
			return fmt.Errorf("%s %s: %w", what, name, refused)
		}
		return b.translate(what, name, err)
	}
}

// Create implements Store.
func (b *Bucket) Create(ctx context.Context, name string, data []byte) error {
	return b.conditional(ctx, "create", name, data, ErrExists, func(o *minio.PutObjectOptions) { o.SetMatchETagExcept("*") })
}

// Put implements Store.
func (b *Bucket) Put(ctx context.Context, name string, data []byte) error {
	return b.translate("put", name, b.put(ctx, name, data, nil))
}

// Replace implements Store.
func (b *Bucket) Replace(ctx context.Context, name string, data []byte, etag string) error {
	return b.conditional(ctx, "replace", name, data, ErrChanged, func(o *minio.PutObjectOptions) { o.SetMatchETag(etag) })
}

// Get implements Store.
func (b *Bucket) Get(ctx context.Context, name string) ([]byte, Info, error) {
	return b.read(ctx, name, minio.GetObjectOptions{})
}

func (b *Bucket) read(ctx context.Context, name string, opt minio.GetObjectOptions) ([]byte, Info, error) {
	body, info, _, err := minio.Core{Client: b.client}.GetObject(ctx, b.bucket, b.prefix+name, opt)
	if err != nil {
		return nil, Info{}, b.translate("get", name, err)
	}
	defer body.Close()
	data := make([]byte, info.Size)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, Info{}, b.translate("get", name, err)
	}
	return data, Info{Name: name, Size: info.Size, ETag: info.ETag, Modified: info.LastModified}, nil
}

// GetRange implements Store.
func (b *Bucket) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	return b.getRange(ctx, name, offset, length, minio.GetObjectOptions{})
}

// GetRangeOf implements Watchful.
func (b *Bucket) GetRangeOf(ctx context.Context, info Info, offset, length int64) ([]byte, error) {
	opt := minio.GetObjectOptions{}
	if err := opt.SetMatchETag(info.ETag); err != nil {
		return nil, fmt.Errorf("get %s: %w", info.Name, err)
	}
	return b.getRange(ctx, info.Name, offset, length, opt)
}

func (b *Bucket) getRange(ctx context.Context, name string, offset, length int64, opt minio.GetObjectOptions) ([]byte, error) {
	if length == 0 {
		return nil, nil
	}
	end := offset + length - 1
	if length < 0 {
		end = 0
	}
	if length < 0 && offset == 0 {
		data, _, err := b.read(ctx, name, opt)
		return data, err
	}
	if err := opt.SetRange(offset, end); err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	data, _, err := b.read(ctx, name, opt)
	if err == nil && length > 0 && int64(len(data)) != length {
		return nil, fmt.Errorf("read %d bytes at %d of %s: %w", length, offset, name, ErrShort)
	}
	return data, err
}

// List implements Store.
func (b *Bucket) List(ctx context.Context, prefix string) ([]Info, error) {
	var list []Info
	for o := range b.client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true}) {
		if o.Err != nil {
			return nil, b.translate("list", prefix, o.Err)
		}
		list = append(list, Info{Name: strings.TrimPrefix(o.Key, b.prefix), Size: o.Size, ETag: o.ETag, Modified: o.LastModified})
	}
	return list, ctx.Err()
}

// Delete implements Store.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	return b.translate("delete", name, b.client.RemoveObject(ctx, b.bucket, b.prefix+name, minio.RemoveObjectOptions{}))
}
