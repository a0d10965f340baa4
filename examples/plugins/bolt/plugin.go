package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	connectorv1 "sluiceplugin/gen/sluice/connector/v1"
	recordv1 "sluiceplugin/gen/sluice/record/v1"
)

// What connector.go implements, for one config.
type Connector interface {
	// Returns when the far side answers; fails with the path of the setting that is wrong.
	Check(ctx context.Context) error
	Discover(ctx context.Context) ([]*connectorv1.StreamInfo, error)
	// Fails before anything is read where there is no such stream. cursor is empty, or what a Row had.
	OpenSource(ctx context.Context, open *connectorv1.ReadOpen) (Source, error)
	OpenDestination(ctx context.Context, open *connectorv1.WriteOpen) (Destination, error)
}

// A stream that is read.
type Source interface {
	// The next record; io.EOF after the last.
	Next(ctx context.Context) (Row, error)
	Close() error
}

// A record with where it stood.
type Row struct {
	// JSON in one line.
	JSON []byte
	// The same whenever it is read.
	Ordinal uint64
	// What goes on right behind it.
	Cursor any
}

// A stream that is written.
type Destination interface {
	// Writes records durably; the result has those that were refused, by index, and Left for those that it did not come to.
	// An error: none is known to be written.
	Write(ctx context.Context, records [][]byte) (refused map[int]error, err error)
	// The run's last batch is confirmed. May come again.
	Complete(ctx context.Context) error
	Close() error
}

// Failure is an error that says whose fault it is. Any other error is a defect of this program.
type Failure struct {
	Code    recordv1.Code
	Fault   recordv1.Fault
	Message string
	// The setting at fault, such as config.host.
	Path string
}

func (f *Failure) Error() string { return f.Message }

// Misconfigured is a setting that is wrong: records wait until it is mended.
func Misconfigured(code recordv1.Code, path, message string) *Failure {
	return &Failure{Code: code, Fault: recordv1.Fault_FAULT_DESTINATION, Path: path, Message: message}
}

// Left is of a record that a write did not come to, since the far side went away: it waits, and that counts no attempt.
var Left = &Failure{
	Code: recordv1.Code_CODE_UNAVAILABLE, Fault: recordv1.Fault_FAULT_DESTINATION, Message: "the write did not come to it",
}

func failureOf(err error) *recordv1.Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return &recordv1.Failure{Code: failure.Code, Fault: failure.Fault, Message: failure.Message, Path: failure.Path}
	}
	return &recordv1.Failure{
		Code: recordv1.Code_CODE_INTERNAL_ERROR, Fault: recordv1.Fault_FAULT_TRANSIENT, Message: err.Error(),
	}
}

var statusOf = map[recordv1.Code]codes.Code{
	recordv1.Code_CODE_VALIDATION_ERROR: codes.InvalidArgument,
	recordv1.Code_CODE_UNAUTHORIZED:     codes.Unauthenticated,
	recordv1.Code_CODE_FORBIDDEN:        codes.PermissionDenied,
	recordv1.Code_CODE_NOT_FOUND:        codes.NotFound,
	recordv1.Code_CODE_RATE_LIMITED:     codes.ResourceExhausted,
	recordv1.Code_CODE_UNAVAILABLE:      codes.Unavailable,
	recordv1.Code_CODE_TIMEOUT:          codes.DeadlineExceeded,
}

// The end of a call that failed: a status, and the failure in the trailer.
func ended(setTrailer func(metadata.MD), err error) error {
	failure := failureOf(err)
	encoded, marshalling := proto.Marshal(failure)
	if marshalling != nil {
		return marshalling
	}
	setTrailer(metadata.Pairs("sluice-failure-bin", string(encoded)))
	code, known := statusOf[failure.Code]
	if !known {
		code = codes.Internal
	}
	return status.Error(code, failure.Message)
}

type service struct {
	connectorv1.UnimplementedConnectorServiceServer
}

func unary(ctx context.Context, err error) error {
	return ended(func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) }, err)
}

func (s *service) Spec(ctx context.Context, request *connectorv1.SpecRequest) (*connectorv1.SpecResponse, error) {
	for _, version := range request.ProtocolVersions {
		if version == 1 {
			return spec(), nil
		}
	}
	return nil, unary(ctx, Misconfigured(recordv1.Code_CODE_VALIDATION_ERROR, "", "it speaks version 1 of the protocol alone"))
}

func (s *service) Check(ctx context.Context, request *connectorv1.CheckRequest) (*connectorv1.CheckResponse, error) {
	connector, err := open(request.Instance)
	if err == nil {
		err = connector.Check(ctx)
	}
	if err != nil {
		return nil, unary(ctx, err)
	}
	return &connectorv1.CheckResponse{}, nil
}

func (s *service) Discover(ctx context.Context, request *connectorv1.DiscoverRequest) (*connectorv1.DiscoverResponse, error) {
	connector, err := open(request.Instance)
	if err != nil {
		return nil, unary(ctx, err)
	}
	streams, err := connector.Discover(ctx)
	if err != nil {
		return nil, unary(ctx, err)
	}
	return &connectorv1.DiscoverResponse{Streams: streams}, nil
}

func open(instance *connectorv1.Instance) (Connector, error) {
	return newConnector([]byte(instance.GetConfig()))
}

func (s *service) Read(stream connectorv1.ConnectorService_ReadServer) error {
	err := read(stream)
	if err == nil || stream.Context().Err() != nil {
		return err
	}
	return ended(stream.SetTrailer, err)
}

func read(stream connectorv1.ConnectorService_ReadServer) error {
	ctx := stream.Context()
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	options := first.GetOpen()
	connector, err := open(options.GetInstance())
	if err != nil {
		return err
	}
	source, err := connector.OpenSource(ctx, options)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := stream.Send(&connectorv1.ReadResponse{Response: &connectorv1.ReadResponse_Opened{Opened: &connectorv1.ReadOpened{}}}); err != nil {
		return err
	}
	credit := newCredit(stream)
	for rest := (*Row)(nil); ; {
		// Nothing is read that could not be sent.
		if err := credit.wait(ctx, options.BatchRecords); err != nil {
			return err
		}
		var batch *connectorv1.ReadBatch
		batch, rest, err = gather(ctx, source, options, rest)
		if err != nil && err != io.EOF {
			return err
		}
		if batch != nil {
			credit.spend(batch.Records.Count)
			if err := stream.Send(&connectorv1.ReadResponse{Response: &connectorv1.ReadResponse_Batch{Batch: batch}}); err != nil {
				return err
			}
		}
		if err == io.EOF && rest == nil {
			return nil
		}
	}
}

// A batch within its aims, and the row that was one too many for it.
func gather(ctx context.Context, source Source, options *connectorv1.ReadOpen, rest *Row) (*connectorv1.ReadBatch, *Row, error) {
	var texts [][]byte
	var ordinals []uint64
	var cursor any
	size := 0
	var end error
	for uint32(len(texts)) < options.BatchRecords {
		row := rest
		rest = nil
		if row == nil {
			next, err := source.Next(ctx)
			if err != nil {
				end = err
				break
			}
			row = &next
		}
		if len(texts) > 0 && size+len(row.JSON)+1 > int(options.BatchBytes) {
			rest = row
			break
		}
		texts = append(texts, row.JSON)
		ordinals = append(ordinals, row.Ordinal)
		size += len(row.JSON) + 1
		cursor = row.Cursor
	}
	if len(texts) == 0 {
		return nil, rest, end
	}
	position, err := json.Marshal(cursor)
	if err != nil {
		return nil, nil, err
	}
	return &connectorv1.ReadBatch{
		Records:  &recordv1.Records{Data: bytes.Join(texts, []byte("\n")), Count: uint32(len(texts))},
		Cursor:   string(position),
		Base:     options.Stream,
		Ordinals: ordinals,
	}, rest, end
}

// What sluice lets the source send; grants come on the request stream while batches go out.
type credit struct {
	mutex   sync.Mutex
	left    uint32
	changed chan struct{}
}

func newCredit(stream connectorv1.ConnectorService_ReadServer) *credit {
	c := &credit{changed: make(chan struct{}, 1)}
	go func() {
		for {
			request, err := stream.Recv()
			if err != nil {
				return
			}
			c.mutex.Lock()
			c.left += request.GetCredit().GetRecords()
			c.mutex.Unlock()
			select {
			case c.changed <- struct{}{}:
			default:
			}
		}
	}()
	return c
}

func (c *credit) wait(ctx context.Context, records uint32) error {
	for {
		c.mutex.Lock()
		enough := c.left >= records
		c.mutex.Unlock()
		if enough {
			return ctx.Err()
		}
		select {
		case <-c.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *credit) spend(records uint32) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.left -= records
}

func (s *service) Write(stream connectorv1.ConnectorService_WriteServer) error {
	err := write(stream)
	if err == nil || stream.Context().Err() != nil {
		return err
	}
	return ended(stream.SetTrailer, err)
}

func write(stream connectorv1.ConnectorService_WriteServer) error {
	ctx := stream.Context()
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	options := first.GetOpen()
	connector, err := open(options.GetInstance())
	if err != nil {
		return err
	}
	destination, err := connector.OpenDestination(ctx, options)
	if err != nil {
		return err
	}
	defer destination.Close()
	// One batch at a time keeps their order.
	opened := &connectorv1.WriteOpened{Concurrency: 1}
	if err := stream.Send(&connectorv1.WriteResponse{Response: &connectorv1.WriteResponse_Opened{Opened: opened}}); err != nil {
		return err
	}
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		result := answer(ctx, destination, request)
		if err := stream.Send(&connectorv1.WriteResponse{Response: &connectorv1.WriteResponse_Result{Result: result}}); err != nil {
			return err
		}
	}
}

func answer(ctx context.Context, destination Destination, request *connectorv1.WriteRequest) *connectorv1.WriteResult {
	if complete := request.GetComplete(); complete != nil {
		result := &connectorv1.WriteResult{Id: complete.Id}
		if err := destination.Complete(ctx); err != nil {
			result.Failure = failureOf(err)
		}
		return result
	}
	batch := request.GetBatch()
	result := &connectorv1.WriteResult{Id: batch.GetId()}
	refused, err := destination.Write(ctx, bytes.Split(batch.GetRecords().GetData(), []byte("\n")))
	if err != nil {
		result.Failure = failureOf(err)
	}
	for index, err := range refused {
		result.Failed = append(result.Failed, &connectorv1.WriteFailure{Index: uint32(index), Failure: failureOf(err)})
	}
	return result
}
