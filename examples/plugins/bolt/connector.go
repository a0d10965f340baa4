package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	connectorv1 "sluiceplugin/gen/sluice/connector/v1"
	recordv1 "sluiceplugin/gen/sluice/record/v1"
)

// A bbolt file: each bucket is a stream, read in the order of its keys. A record is {"key": "…", "value": …}, where the
// value is any JSON. Upsert puts a record in the place of the one with its key; append refuses a key that is there.

const configSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["path"],
  "properties": {
    "path": { "type": "string", "minLength": 1, "description": "The database's file; its folder must exist." }
  }
}`

const recordSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["key", "value"],
  "properties": { "key": { "type": "string", "minLength": 1 }, "value": {} }
}`

const (
	// Another process may have the file.
	lockPatience = 5 * time.Second
	// Rows of one transaction: none stays open while sluice takes its time.
	page = 500
)

func spec() *connectorv1.SpecResponse {
	return &connectorv1.SpecResponse{
		ProtocolVersion: 1,
		Type:            "bolt",
		Version:         "1.0.0",
		Title:           "bbolt",
		Description:     "Buckets of a bbolt file.",
		ConfigSchema:    configSchema,
		Source:          &connectorv1.SourceCapabilities{Modes: []connectorv1.SourceMode{connectorv1.SourceMode_SOURCE_MODE_FULL}},
		Destination: &connectorv1.DestinationCapabilities{Modes: []connectorv1.DestinationMode{
			connectorv1.DestinationMode_DESTINATION_MODE_APPEND,
			connectorv1.DestinationMode_DESTINATION_MODE_UPSERT,
		}},
	}
}

// A file can be open once: all connectors of this process share it.
var (
	files = map[string]*bbolt.DB{}
	guard sync.Mutex
)

func database(path string) (*bbolt.DB, error) {
	guard.Lock()
	defer guard.Unlock()
	if db, open := files[path]; open {
		return db, nil
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return nil, Misconfigured(recordv1.Code_CODE_VALIDATION_ERROR, "config.path", "there is no folder for "+path)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockPatience})
	if errors.Is(err, bbolt.ErrTimeout) {
		return nil, &Failure{Code: recordv1.Code_CODE_UNAVAILABLE, Message: "another process has " + path}
	}
	if err != nil {
		return nil, Misconfigured(recordv1.Code_CODE_VALIDATION_ERROR, "config.path", path+": "+err.Error())
	}
	files[path] = db
	return db, nil
}

type bolt struct {
	path string
}

func newConnector(config []byte) (Connector, error) {
	var given struct{ Path string }
	if err := json.Unmarshal(config, &given); err != nil {
		return nil, err
	}
	return &bolt{path: given.Path}, nil
}

func (b *bolt) Check(context.Context) error {
	_, err := database(b.path)
	return err
}

func (b *bolt) Discover(context.Context) ([]*connectorv1.StreamInfo, error) {
	db, err := database(b.path)
	if err != nil {
		return nil, err
	}
	var streams []*connectorv1.StreamInfo
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			info := &connectorv1.StreamInfo{
				Name: string(name), Schema: recordSchema, Key: []string{"key"}, Required: []string{"key", "value"},
			}
			streams = append(streams, info)
			return nil
		})
	})
	return streams, err
}

// A record is known by its number in the bucket's order of writing, which bbolt keeps for each bucket.
type entry struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

func (b *bolt) OpenSource(_ context.Context, open *connectorv1.ReadOpen) (Source, error) {
	db, err := database(b.path)
	if err != nil {
		return nil, err
	}
	source := &reader{db: db, bucket: []byte(open.Stream)}
	if open.Cursor != "" {
		if err := json.Unmarshal([]byte(open.Cursor), &source.last); err != nil {
			return nil, err
		}
	}
	return source, db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(source.bucket) == nil {
			return Misconfigured(recordv1.Code_CODE_NOT_FOUND, "source.stream", "there is no bucket "+open.Stream)
		}
		return nil
	})
}

type reader struct {
	db     *bbolt.DB
	bucket []byte
	last   string
	rows   []Row
}

func (r *reader) Next(context.Context) (Row, error) {
	if len(r.rows) == 0 {
		if err := r.db.View(r.read); err != nil {
			return Row{}, err
		}
	}
	if len(r.rows) == 0 {
		return Row{}, io.EOF
	}
	row := r.rows[0]
	r.rows = r.rows[1:]
	return row, nil
}

func (r *reader) read(tx *bbolt.Tx) error {
	bucket := tx.Bucket(r.bucket)
	if bucket == nil {
		return Misconfigured(recordv1.Code_CODE_NOT_FOUND, "source.stream", "the bucket was deleted")
	}
	cursor := bucket.Cursor()
	key, value := cursor.Seek([]byte(r.last))
	if r.last != "" && string(key) == r.last {
		key, value = cursor.Next()
	}
	for ; key != nil && len(r.rows) < page; key, value = cursor.Next() {
		if len(value) < 8 {
			continue // A bucket within it, or what was not written by this program.
		}
		// What is in the file is of the transaction: it has to be copied.
		text, err := json.Marshal(entry{Key: string(key), Value: append(json.RawMessage{}, value[8:]...)})
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		r.last = string(key)
		r.rows = append(r.rows, Row{JSON: text, Ordinal: binary.BigEndian.Uint64(value), Cursor: r.last})
	}
	return nil
}

func (r *reader) Close() error { return nil }

func (b *bolt) OpenDestination(_ context.Context, open *connectorv1.WriteOpen) (Destination, error) {
	db, err := database(b.path)
	if err != nil {
		return nil, err
	}
	if len(open.Key) > 1 || len(open.Key) == 1 && open.Key[0] != "key" {
		return nil, Misconfigured(recordv1.Code_CODE_VALIDATION_ERROR, "destination.key", `the key has to be ["key"]`)
	}
	upsert := open.Mode == connectorv1.DestinationMode_DESTINATION_MODE_UPSERT
	return &writer{db: db, bucket: []byte(open.Stream), upsert: upsert}, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte(open.Stream))
		return err
	})
}

type writer struct {
	db     *bbolt.DB
	bucket []byte
	upsert bool
}

// One transaction for all; it is durable when it has ended.
func (w *writer) Write(_ context.Context, records [][]byte) (map[int]error, error) {
	refused := map[int]error{}
	err := w.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(w.bucket)
		if bucket == nil {
			return errors.New("the bucket was deleted")
		}
		for index, record := range records {
			if err := w.put(bucket, record); err != nil {
				refused[index] = err
			}
		}
		return nil
	})
	if err != nil {
		// A full disk is no record's fault: all of them wait.
		return nil, Misconfigured(recordv1.Code_CODE_UNAVAILABLE, "destination.stream", err.Error())
	}
	return refused, nil
}

func (w *writer) put(bucket *bbolt.Bucket, record []byte) error {
	var given struct {
		Key   *string
		Value json.RawMessage
	}
	if err := json.Unmarshal(record, &given); err != nil || given.Key == nil || *given.Key == "" || given.Value == nil {
		return &Failure{Code: recordv1.Code_CODE_VALIDATION_ERROR, Message: `a record is {"key": text, "value": any}`}
	}
	key := []byte(*given.Key)
	if len(key) > bbolt.MaxKeySize {
		return &Failure{Code: recordv1.Code_CODE_VALIDATION_ERROR, Message: "its key is too long"}
	}
	if !w.upsert && bucket.Get(key) != nil {
		return &Failure{Code: recordv1.Code_CODE_CONFLICT, Message: "there is a record with this key"}
	}
	number, err := bucket.NextSequence()
	if err != nil {
		return err
	}
	return bucket.Put(key, append(binary.BigEndian.AppendUint64(nil, number), given.Value...))
}

func (w *writer) Complete(context.Context) error { return nil }

func (w *writer) Close() error { return nil }
