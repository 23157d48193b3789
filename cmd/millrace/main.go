// Command millrace is the streaming engine server: flags and environment become
// server options, and the rest is in package server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/server"
)

// version is set when the binary is built.
var version = "dev"

const usage = `usage:
  millrace server [flags]    run the server (millrace server -h lists the flags)
  millrace version           print the version
`

// shutdownMax bounds the last checkpoints after SIGTERM.
const shutdownMax = 60 * time.Second

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	switch os.Args[1] {
	case "server":
		if err := run(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "millrace:", strings.Join(strings.Fields(err.Error()), " "))
			os.Exit(1)
		}
	case "version", "--version", "-v":
		fmt.Println("millrace", version)
	case "help", "--help", "-h":
		fmt.Print(usage)
	default:
		fmt.Fprintf(os.Stderr, "millrace: unknown command %q\n%s", os.Args[1], usage)
		os.Exit(2)
	}
}

// flags reads the command line over the environment: --name is MILLRACE_NAME.
func flags(args []string) (opt server.Options, initFile string, err error) {
	f := flag.NewFlagSet("millrace server", flag.ContinueOnError)
	text := func(p *string, name, value, doc string) {
		env := "MILLRACE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if v, ok := os.LookupEnv(env); ok {
			value = v
		}
		f.StringVar(p, name, value, doc+" ("+env+")")
	}
	var level, parallelism, batchRows, memoryLimit string
	text(&opt.Listen, "listen", "127.0.0.1:7433", "address for PostgreSQL clients")
	text(&opt.HTTP, "http", "127.0.0.1:7434", "address for health and metrics, empty for none")
	text(&opt.Data, "data", "./millrace-data", "folder for everything kept locally")
	text(&opt.Objects, "objects", "", "object store: file:///dir or s3://bucket/prefix?endpoint=URL; a folder below --data unless given")
	text(&opt.Metadata, "metadata", "", "metadata database: sqlite:///file or postgres://…; SQLite below --data unless given")
	text(&initFile, "init", "", "SQL file that is run when the data folder is new")
	text(&opt.TLSCert, "tls-cert", "", "certificate file; turns TLS on")
	text(&opt.TLSKey, "tls-key", "", "key file of the certificate")
	text(&parallelism, "parallelism", "0", "tasks per stage of jobs that do not say; 0 for the number of cores")
	text(&batchRows, "batch-rows", "0", "rows per batch of jobs that do not say; 0 for the engine's choice")
	text(&memoryLimit, "memory-limit", "75%", "memory that the process may take: a size such as 8GB, a share of the machine's or cgroup's such as 75%, or none")
	text(&level, "log-level", "info", "debug, info, warn or error")
	if err := f.Parse(args); err != nil {
		return opt, "", err
	}
	if f.NArg() > 0 {
		return opt, "", fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if opt.Parallelism, err = strconv.Atoi(parallelism); err != nil || opt.Parallelism < 0 || opt.Parallelism > 1024 {
		return opt, "", fmt.Errorf("--parallelism takes a number from 0 to 1024, not %q", parallelism)
	}
	if opt.BatchRows, err = strconv.Atoi(batchRows); err != nil || opt.BatchRows < 0 || opt.BatchRows > 1<<15 {
		return opt, "", fmt.Errorf("--batch-rows takes a number from 0 to %d, not %q", 1<<15, batchRows)
	}
	if opt.MemoryLimit, err = server.ParseMemoryLimit(memoryLimit); err != nil {
		return opt, "", fmt.Errorf("--memory-limit takes %w, not %q", err, memoryLimit)
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return opt, "", fmt.Errorf("--log-level takes debug, info, warn or error, not %q", level)
	}
	opt.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
	opt.Password = os.Getenv("MILLRACE_PASSWORD")
	opt.Version = version
	return opt, initFile, nil
}

func run(args []string) error {
	opt, initFile, err := flags(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s, err := server.Start(ctx, opt)
	if err != nil {
		return err
	}
	if initFile != "" && s.Fresh() {
		if err := s.RunFile(ctx, initFile); err != nil {
			s.Shutdown(context.Background())
			if ctx.Err() != nil { // a signal: the next start runs the file if nothing of it is there
				return nil
			}
			return err
		}
	}
	fmt.Fprint(os.Stdout, s.Welcome())
	select {
	case <-ctx.Done():
	case err = <-s.Failed():
	}
	stop() // a second signal ends the process at once
	end, cancel := context.WithTimeout(context.Background(), shutdownMax)
	defer cancel()
	s.Shutdown(end)
	return err
}
