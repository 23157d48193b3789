package checkpoint

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/millrace/millrace/statestore/gc"
	"github.com/millrace/millrace/statestore/manifest"
	"github.com/millrace/millrace/statestore/object"
	"github.com/millrace/millrace/statestore/segment"
)

// SavepointFolder makes up the name of a savepoint's folder: "savepoint-", the
// first 6 characters of the job id, "-", 12 random hex digits.
func SavepointFolder(job string) (string, error) {
	var id [6]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("savepoint-%s-%s", job[:min(6, len(job))], hex.EncodeToString(id[:])), nil
}

// SegmentFolder is where a native savepoint has its segments.
const SegmentFolder = "segments"

// CopyToSavepoint makes a native savepoint of a checkpoint that is held: it copies
// the segments into folder, checks them on the way, and completes the savepoint
// with references relative to it. from and to may be the same store.
func CopyToSavepoint(ctx context.Context, from, to object.Store, folder string, m *manifest.Metadata) (*manifest.Metadata, error) {
	data, err := manifest.Encode(m)
	if err != nil {
		return nil, err
	}
	sp, err := manifest.Decode(data) // a copy to change
	if err != nil {
		return nil, err
	}
	sp.Kind, sp.Format, sp.Files = manifest.Savepoint, manifest.Native, nil
	moved := map[string]string{}
	for i, s := range m.Segments() {
		bytes, _, err := from.Get(ctx, s.Name)
		if errors.Is(err, object.ErrNotFound) {
			return nil, fmt.Errorf("copy to savepoint: %w: segment %s is missing", segment.ErrDamaged, s.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("copy to savepoint: %w", err)
		}
		if err := segment.Check(s.Name, bytes, s.Size, s.Checksum); err != nil {
			return nil, fmt.Errorf("copy to savepoint: %w", err)
		}
		name := fmt.Sprintf("%s/%06d.seg", SegmentFolder, i)
		if err := to.Create(ctx, folder+"/"+name, bytes); err != nil {
			return nil, fmt.Errorf("copy to savepoint: %w", err)
		}
		moved[s.Name] = name
		sp.Files = append(sp.Files, manifest.File{Name: name, Size: s.Size, Checksum: s.Checksum})
	}
	sp.Each(func(_ *manifest.Operator, _ int, t *manifest.Table) {
		for i := range t.Segments {
			if n := t.Segments[i].Name; n != "" {
				t.Segments[i].Name = moved[n]
			}
		}
	})
	return sp, CompleteSavepoint(ctx, to, folder, sp)
}

// CompleteSavepoint creates a savepoint's _metadata once all its files are there.
func CompleteSavepoint(ctx context.Context, store object.Store, folder string, m *manifest.Metadata) error {
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Name < m.Files[j].Name })
	data, err := manifest.Encode(m)
	if err != nil {
		return err
	}
	if err := store.Create(ctx, folder+"/"+gc.MetadataName, data); err != nil {
		return fmt.Errorf("complete savepoint: %w", err)
	}
	return nil
}

// Verify reads every file of a savepoint (or every segment of a checkpoint) whose
// names are relative to store, and returns what is wrong.
func Verify(ctx context.Context, store object.Store, m *manifest.Metadata) (faults []error, err error) {
	files := m.Files
	for _, s := range m.Segments() {
		if m.Kind == manifest.Checkpoint {
			files = append(files, manifest.File{Name: s.Name, Size: s.Size, Checksum: s.Checksum})
		}
	}
	for _, f := range files {
		data, _, err := store.Get(ctx, f.Name)
		if errors.Is(err, object.ErrNotFound) {
			faults = append(faults, fmt.Errorf("%w: %s is missing", segment.ErrDamaged, f.Name))
			continue
		}
		if err != nil {
			return faults, fmt.Errorf("verify: %w", err)
		}
		if err := segment.Check(f.Name, data, f.Size, f.Checksum); err != nil {
			faults = append(faults, err)
		}
	}
	return faults, nil
}

// DropSavepoint deletes a savepoint: its _metadata first, then what is in its
// folder.
func DropSavepoint(ctx context.Context, store object.Store, folder string) error {
	if !strings.HasPrefix(folder[strings.LastIndexByte(folder, '/')+1:], "savepoint-") {
		return fmt.Errorf("%q is not the folder of a savepoint", folder)
	}
	if err := store.Delete(ctx, folder+"/"+gc.MetadataName); err != nil {
		return fmt.Errorf("drop savepoint: %w", err)
	}
	list, err := store.List(ctx, folder+"/")
	if err != nil {
		return fmt.Errorf("drop savepoint: %w", err)
	}
	for _, o := range list {
		if err := store.Delete(ctx, o.Name); err != nil {
			return fmt.Errorf("drop savepoint: %w", err)
		}
	}
	return nil
}

// IsDamage reports whether an error means that stored bytes are not what was
// written or are gone, so that an older checkpoint may do where a retry will not.
func IsDamage(err error) bool {
	return errors.Is(err, segment.ErrDamaged) || errors.Is(err, manifest.ErrDamaged)
}
