// Package admin is the server's HTTP side: whether it is alive, whether it is
// ready, and its metrics. It measures nothing itself: figures come in through
// Metrics.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options configure a Server.
type Options struct {
	// Ready tells why the server cannot take work, nil when it can. It must
	// return quickly.
	Ready func(context.Context) error
	// Metrics is asked for its figures at every scrape; may be nil.
	Metrics Metrics
	// Version is shown in millrace_build_info.
	Version string
	Logger  *slog.Logger
}

// EnsureDefaults fills in what is left open.
func (o *Options) EnsureDefaults() {
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Metrics gives the figures of the running server.
type Metrics interface {
	// Collect calls emit for every figure there is now. It may be called from
	// several goroutines at once.
	Collect(emit func(Metric))
}

// Kind tells counters, which only grow, from gauges.
type Kind uint8

// The kinds of metric.
const (
	Counter Kind = iota
	Gauge
)

// Metric is one figure. All figures of one name have the same Help, Kind and
// label names, in the same order.
type Metric struct {
	Name   string // with the prefix millrace_ and the unit last
	Help   string
	Kind   Kind
	Labels []Label
	Value  float64
}

// Label is one dimension of a metric.
type Label struct{ Name, Value string }

// Server answers HTTP.
type Server struct {
	options Options
	http    *http.Server
}

// Limits of the HTTP server.
const (
	headerTimeout = 5 * time.Second
	requestMax    = 30 * time.Second
	readyMax      = 3 * time.Second
)

// New makes a server that listens nowhere yet.
func New(o Options) *Server {
	o.EnsureDefaults()
	s := &Server{options: o}
	s.http = &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: requestMax, WriteTimeout: requestMax,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug)}
	return s
}

// Handler returns the routes.
func (s *Server) Handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "millrace_build_info", Help: "The running version.", ConstLabels: prometheus.Labels{"version": s.options.Version}})
	info.Set(1)
	registry.MustRegister(info)
	if s.options.Metrics != nil {
		registry.MustRegister(collector{s.options.Metrics, s.options.Logger})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	return mux
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyMax)
	defer cancel()
	if err := s.options.Ready(ctx); err != nil {
		answer(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
		return
	}
	answer(w, http.StatusOK, "ready")
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// Serve answers on l until Shutdown, which makes it return nil.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown stops listening and waits for open requests until ctx is done.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

// collector hands Metrics over to Prometheus. It describes nothing ahead of
// time, since jobs and operators come and go.
type collector struct {
	metrics Metrics
	log     *slog.Logger
}

// Describe implements prometheus.Collector.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	c.metrics.Collect(func(m Metric) {
		names, values := make([]string, len(m.Labels)), make([]string, len(m.Labels))
		for i, l := range m.Labels {
			names[i], values[i] = l.Name, l.Value
		}
		kind := prometheus.CounterValue
		if m.Kind == Gauge {
			kind = prometheus.GaugeValue
		}
		metric, err := prometheus.NewConstMetric(prometheus.NewDesc(m.Name, m.Help, names, nil), kind, m.Value, values...)
		if err != nil {
			c.log.Error("bad metric", "name", m.Name, "error", err)
			return
		}
		out <- metric
	})
}
