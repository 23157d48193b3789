package servers

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestPostgresStartsAndStops(t *testing.T) {
	p := StartPostgres(t)
	database := p.CreateDatabase(t, "other one")
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var name string
	if err := conn.QueryRow(ctx, "SELECT current_database()").Scan(&name); err != nil || name != "other one" {
		t.Fatalf("got %q, %v", name, err)
	}
}
