// A connector for sluice, as a program of its own. connector.go is yours; plugin.go speaks the protocol.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	connectorv1 "sluiceplugin/gen/sluice/connector/v1"
)

const messageBytes = 64 << 20

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Serves until stdin closes or it is asked to end.
func run() error {
	folder, err := os.MkdirTemp("", "sluice-plugin-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	socket := filepath.Join(folder, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(messageBytes), grpc.MaxSendMsgSize(messageBytes))
	connectorv1.RegisterConnectorServiceServer(server, &service{})
	healthv1.RegisterHealthServer(server, health.NewServer())

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop <- syscall.SIGTERM
	}()
	go func() {
		<-stop
		// What is under way may end; sluice waits for five seconds.
		time.AfterFunc(3*time.Second, server.Stop)
		server.GracefulStop()
	}()
	// The first line on stdout says where it is served. All else goes to stderr, which is sluice's log.
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"sluice": 1, "address": "unix:" + socket}); err != nil {
		return err
	}
	return server.Serve(listener)
}
