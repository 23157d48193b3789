package handler

import (
	"context"
	"fmt"
	"strings"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/planner/bind"
	"github.com/millrace/millrace/server/session"
	"github.com/millrace/millrace/sql/ast"
	"github.com/millrace/millrace/types"
)

// isSchema says whether there is a schema of that name.
func isSchema(name string) bool { return bind.Relations(nil).HasSchema(name) }

// createSchema runs CREATE SCHEMA: tools that move a database to a new version
// begin with that of the schema that is there.
func createSchema(st *ast.CreateOther) plan {
	return planFunc(func(_ context.Context, s *session.Session, _ []types.Value) (*session.Result, error) {
		name, at := st.Name.Last().Value, int(st.Name.Last().Pos)
		switch {
		case isSchema(name) && st.IfNotExists:
			s.Notice("NOTICE", pgerr.DuplicateSchema, fmt.Sprintf("schema %q already exists, skipping", name))
			return session.Command("CREATE SCHEMA"), nil
		case isSchema(name):
			return nil, pgerr.New(pgerr.DuplicateSchema, "schema %q already exists", name).At(at)
		case strings.HasPrefix(name, "pg_"):
			return nil, pgerr.New(pgerr.ReservedName, "unacceptable schema name %q", name).At(at).
				WithDetail(`The prefix "pg_" is reserved for system schemas.`)
		}
		return nil, pgerr.NotSupported(int(st.Pos), "CREATE SCHEMA").Hint("All relations are in schema public, which is there.")
	})
}

// dropSchemas runs DROP SCHEMA: there is none that may go.
func dropSchemas(s *session.Session, st *ast.Drop) error {
	for _, path := range st.Names {
		name, at := path.Last().Value, int(path.Last().Pos)
		switch {
		case name == "public":
			return pgerr.NotSupported(at, "DROP SCHEMA public").Hint("All relations are in it; drop those that are to go.")
		case isSchema(name):
			return pgerr.New(pgerr.DependentObjectsStillExist, "cannot drop schema %s because it is required by the database system", name).At(at)
		case !st.IfExists:
			return pgerr.New(pgerr.InvalidSchemaName, "schema %q does not exist", name).At(at)
		}
		s.Notice("NOTICE", pgerr.SuccessfulCompletion, fmt.Sprintf("schema %q does not exist, skipping", name))
	}
	return nil
}
