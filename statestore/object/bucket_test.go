package object_test

import (
	"strings"
	"testing"

	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/test/servers"
)

func TestBucketContract(t *testing.T) {
	m := servers.StartMinIO(t, "bucket")
	for _, e := range m.Env() {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	for _, prefix := range []string{"some/prefix"} {
		s, err := object.Open(t.Context(), m.URL("bucket", prefix))
		if err != nil {
			t.Fatal(err)
		}
		object.TestContract(t, s)
	}
	none, err := object.Open(t.Context(), m.URL("nobucket", ""))
	if err != nil {
		t.Fatal(err)
	}
	err = object.ProveConditionalWrites(t.Context(), none)
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), `bucket "nobucket" does not exist`) {
		t.Errorf("missing bucket: %v", err)
	}
	wrong, err := object.OpenWith(t.Context(), m.URL("bucket", ""), object.Options{AccessKey: "who", SecretKey: "whatever"})
	if err != nil {
		t.Fatal(err)
	}
	if err := object.ProveConditionalWrites(t.Context(), wrong); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("wrong credentials: %v", err)
	}
}
