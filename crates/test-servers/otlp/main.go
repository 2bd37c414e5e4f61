// SPDX-License-Identifier: Apache-2.0

// The OTLP receiver of the OpenTelemetry Collector: prints what it gets as JSON, a line for each request. The first line
// says where it listens.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
)

func try(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	try(err)
	address := listener.Addr().String()
	try(listener.Close())

	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	settings := map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address, "include_metadata": true}}}
	try(confmap.NewFromStringMap(settings).Unmarshal(config))
	show := func(ctx context.Context, metrics pmetric.Metrics) error {
		got, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(metrics)
		try(err)
		token := client.FromContext(ctx).Metadata.Get("x-token")
		line, err := json.Marshal(map[string]any{"token": token, "metrics": json.RawMessage(got)})
		try(err)
		fmt.Println(string(line))
		return nil
	}
	sink, err := consumer.NewMetrics(show)
	try(err)
	set := receiver.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	server, err := factory.CreateMetrics(context.Background(), set, config, sink)
	try(err)
	try(server.Start(context.Background(), componenttest.NewNopHost()))
	fmt.Println("listening on", address)
	// It ends when the process that has started it is gone, and with that the other end of its input.
	_, _ = io.Copy(io.Discard, os.Stdin)
	try(server.Shutdown(context.Background()))
}
