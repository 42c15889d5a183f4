package offchain

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// MetricsAddr is where the metrics are; empty: nowhere.
func (o *Offchain) MetricsAddr() string {
	if o.figures == nil {
		return ""
	}
	return o.figures.Addr().String()
}

// showMetrics serves them until ctx ends.
func (o *Offchain) showMetrics(ctx context.Context) error {
	s := &http.Server{Handler: o.metrics, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 8 << 10}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	if err := s.Serve(o.figures); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the metrics: %w", err)
	}
	return nil
}
