package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	connectorv1 "sluiceplugin/gen/sluice/connector/v1"
	recordv1 "sluiceplugin/gen/sluice/record/v1"
)

// This connector reads and writes files of JSON lines in a folder. Put your own far side in its place.

const configSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["folder"],
  "properties": { "folder": { "type": "string", "minLength": 1, "description": "The folder; must exist." } }
}`

const ending = ".ndjson"

// What it is. Asked first, connects nowhere.
func spec() *connectorv1.SpecResponse {
	return &connectorv1.SpecResponse{
		ProtocolVersion: 1,
		Type:            "my-connector",
		Version:         "1.0.0",
		Title:           "My connector",
		Description:     "Files of JSON lines in a folder.",
		ConfigSchema:    configSchema,
		Source:          &connectorv1.SourceCapabilities{Modes: []connectorv1.SourceMode{connectorv1.SourceMode_SOURCE_MODE_FULL}},
		Destination: &connectorv1.DestinationCapabilities{
			Modes: []connectorv1.DestinationMode{connectorv1.DestinationMode_DESTINATION_MODE_APPEND},
		},
	}
}

type folder struct {
	path string
}

func newConnector(config []byte) (Connector, error) {
	var given struct{ Folder string }
	if err := json.Unmarshal(config, &given); err != nil {
		return nil, err
	}
	return &folder{path: given.Folder}, nil
}

func (f *folder) Check(context.Context) error {
	if info, err := os.Stat(f.path); err != nil || !info.IsDir() {
		return Misconfigured(recordv1.Code_CODE_VALIDATION_ERROR, "config.folder", f.path+" is no folder")
	}
	return nil
}

func (f *folder) Discover(ctx context.Context) ([]*connectorv1.StreamInfo, error) {
	if err := f.Check(ctx); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(f.path, "*"+ending))
	var streams []*connectorv1.StreamInfo
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ending)
		streams = append(streams, &connectorv1.StreamInfo{Name: name, Schema: `{"type":"object"}`})
	}
	return streams, err
}

func (f *folder) file(stream string) string {
	return filepath.Join(f.path, filepath.Base(stream)+ending)
}

func (f *folder) OpenSource(_ context.Context, open *connectorv1.ReadOpen) (Source, error) {
	file, err := os.Open(f.file(open.Stream))
	if err != nil {
		return nil, Misconfigured(recordv1.Code_CODE_NOT_FOUND, "source.stream", "there is no stream "+open.Stream)
	}
	source := &lines{file: file}
	if open.Cursor != "" {
		if err := json.Unmarshal([]byte(open.Cursor), &source.at); err != nil {
			return nil, err
		}
	}
	if _, err := file.Seek(source.at.Byte, io.SeekStart); err != nil {
		return nil, err
	}
	source.reader = bufio.NewReader(file)
	return source, nil
}

// Where a file is read: the cursor.
type place struct {
	Line uint64 `json:"line"`
	Byte int64  `json:"byte"`
}

type lines struct {
	file   *os.File
	reader *bufio.Reader
	at     place
}

func (l *lines) Next(context.Context) (Row, error) {
	for {
		line, err := l.reader.ReadBytes('\n')
		// A line without its end is still being written.
		if err != nil {
			return Row{}, err
		}
		l.at = place{Line: l.at.Line + 1, Byte: l.at.Byte + int64(len(line))}
		if text := bytes.TrimSpace(line); len(text) > 0 {
			return Row{JSON: text, Ordinal: l.at.Line, Cursor: l.at}, nil
		}
	}
}

func (l *lines) Close() error { return l.file.Close() }

func (f *folder) OpenDestination(_ context.Context, open *connectorv1.WriteOpen) (Destination, error) {
	file, err := os.OpenFile(f.file(open.Stream), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, Misconfigured(recordv1.Code_CODE_VALIDATION_ERROR, "config.folder", err.Error())
	}
	return &appender{file: file}, nil
}

type appender struct {
	file *os.File
}

// A record has to be an object; one that is not is refused by itself.
func (a *appender) Write(_ context.Context, records [][]byte) (map[int]error, error) {
	refused := map[int]error{}
	var good bytes.Buffer
	for index, record := range records {
		if !bytes.HasPrefix(record, []byte("{")) {
			message := fmt.Sprintf("a record is an object, and not %.20s", record)
			refused[index] = &Failure{Code: recordv1.Code_CODE_VALIDATION_ERROR, Message: message}
			continue
		}
		good.Write(record)
		good.WriteByte('\n')
	}
	before, err := a.file.Stat()
	if err != nil {
		return nil, err
	}
	if _, err = a.file.Write(good.Bytes()); err == nil {
		// What is confirmed is durable.
		err = a.file.Sync()
	}
	if err != nil {
		// A full disk is no record's fault: nothing of the batch stays, and all of it waits.
		_ = a.file.Truncate(before.Size())
		return nil, Misconfigured(recordv1.Code_CODE_UNAVAILABLE, "config.folder", err.Error())
	}
	return refused, nil
}

func (a *appender) Complete(context.Context) error { return nil }

func (a *appender) Close() error { return a.file.Close() }
