package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	connectorv1 "sluiceplugin/gen/sluice/connector/v1"
	recordv1 "sluiceplugin/gen/sluice/record/v1"
)

func connectorIn(t *testing.T, folder string) Connector {
	t.Helper()
	config, err := json.Marshal(map[string]string{"folder": folder})
	if err != nil {
		t.Fatal(err)
	}
	connector, err := newConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	return connector
}

func texts(t *testing.T, connector Connector, cursor string) ([]string, []any) {
	t.Helper()
	source, err := connector.OpenSource(context.Background(), &connectorv1.ReadOpen{Stream: "in", Cursor: cursor})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var found []string
	var cursors []any
	for {
		row, err := source.Next(context.Background())
		if err == io.EOF {
			return found, cursors
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, string(row.JSON))
		cursors = append(cursors, row.Cursor)
	}
}

func TestReadingGoesOnBehindACursor(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "in.ndjson"), []byte("{\"n\":1}\n\n{\"n\":2}\n{\"n\":3}\n{\"n\""), 0o600); err != nil {
		t.Fatal(err)
	}
	all, cursors := texts(t, connectorIn(t, folder), "")
	if len(all) != 3 {
		t.Fatalf("%d records: %v", len(all), all)
	}
	cursor, _ := json.Marshal(cursors[0])
	rest, _ := texts(t, connectorIn(t, folder), string(cursor))
	if len(rest) != 2 || rest[0] != all[1] {
		t.Fatalf("behind the first record: %v", rest)
	}
}

func TestWhatIsNoObjectIsRefusedAlone(t *testing.T) {
	folder := t.TempDir()
	connector := connectorIn(t, folder)
	destination, err := connector.OpenDestination(context.Background(), &connectorv1.WriteOpen{Stream: "in"})
	if err != nil {
		t.Fatal(err)
	}
	defer destination.Close()
	refused, err := destination.Write(context.Background(), [][]byte{[]byte(`{"n":1}`), []byte(`7`), []byte(`{"n":2}`)})
	if err != nil || len(refused) != 1 || refused[1] == nil {
		t.Fatalf("refused %v, error %v", refused, err)
	}
	if found, _ := texts(t, connector, ""); len(found) != 2 {
		t.Fatalf("written: %v", found)
	}
}

func TestAFailedWriteIsNoRecordsFault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.ndjson")
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// It is open for reading alone.
	var failure *Failure
	_, err = (&appender{file: file}).Write(context.Background(), [][]byte{[]byte("{}")})
	if !errors.As(err, &failure) || failure.Fault != recordv1.Fault_FAULT_DESTINATION {
		t.Fatalf("%v", err)
	}
}

type goes struct{ Destination }

func (goes) Write(context.Context, [][]byte) (map[int]error, error) {
	return map[int]error{1: Left}, nil
}

func TestWhatAWriteLeftIsTheFarSidesFault(t *testing.T) {
	batch := &connectorv1.WriteBatch{Id: 7, Records: &recordv1.Records{Data: []byte("1\n2"), Count: 2}}
	request := &connectorv1.WriteRequest{Request: &connectorv1.WriteRequest_Batch{Batch: batch}}
	failed := answer(context.Background(), goes{}, request).Failed
	if len(failed) != 1 || failed[0].Index != 1 || failed[0].Failure.Fault != recordv1.Fault_FAULT_DESTINATION {
		t.Fatalf("%v", failed)
	}
}

func TestTheSettingAtFaultIsNamed(t *testing.T) {
	var failure *Failure
	if err := connectorIn(t, "/nowhere").Check(context.Background()); !errors.As(err, &failure) || failure.Path != "config.folder" {
		t.Fatalf("%v", err)
	}
	_, err := connectorIn(t, t.TempDir()).OpenSource(context.Background(), &connectorv1.ReadOpen{Stream: "none"})
	if !errors.As(err, &failure) || failure.Code != recordv1.Code_CODE_NOT_FOUND {
		t.Fatalf("%v", err)
	}
}
