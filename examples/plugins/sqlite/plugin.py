#!/usr/bin/env python3
"""A connector for SQLite, as a program of its own: source and destination in 300 lines of Python.

It uses nothing of sluice but the .proto files (see README.md). Each table is a stream.
"""

import json
import queue
import signal
import sqlite3
import sys
import tempfile
import threading
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from sluice.connector.v1 import connector_pb2 as pb
from sluice.connector.v1 import connector_pb2_grpc as rpc
from sluice.record.v1 import record_pb2 as records

CONFIG_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["path"],
    "properties": {"path": {"type": "string", "description": "The database's file; must exist."}},
}
TYPES = {"INTEGER": "integer", "REAL": "number", "TEXT": "string"}


class Failed(Exception):
    """What becomes a sluice.record.v1.Failure."""

    def __init__(self, code, message, path="", fault=records.FAULT_UNSPECIFIED):
        super().__init__(message)
        self.failure = records.Failure(code=code, message=message, path=path, fault=fault)


STATUS = {
    records.CODE_VALIDATION_ERROR: grpc.StatusCode.INVALID_ARGUMENT,
    records.CODE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    records.CODE_CONFLICT: grpc.StatusCode.ABORTED,
    records.CODE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}


def failure_of(error):
    """Whose fault an error of SQLite is."""
    if isinstance(error, Failed):
        return error.failure
    if isinstance(error, sqlite3.IntegrityError):
        return records.Failure(code=records.CODE_CONFLICT, message=str(error))
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return records.Failure(code=records.CODE_UNAVAILABLE, message=str(error))
    if isinstance(error, sqlite3.OperationalError):
        # A full disk, a table that is gone: no record's fault. They wait.
        return records.Failure(
            code=records.CODE_UNAVAILABLE, message=str(error), fault=records.FAULT_DESTINATION
        )
    if isinstance(error, (sqlite3.Error, ValueError, OverflowError)):
        return records.Failure(code=records.CODE_VALIDATION_ERROR, message=str(error))
    return records.Failure(code=records.CODE_INTERNAL_ERROR, message=str(error))


def abort(context, error):
    """Ends a call with the failure in its trailer."""
    failure = failure_of(error)
    context.set_trailing_metadata((("sluice-failure-bin", failure.SerializeToString()),))
    context.abort(STATUS.get(failure.code, grpc.StatusCode.INTERNAL), failure.message)


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def connect(instance):
    path = json.loads(instance.config)["path"]
    try:
        # mode=rw: a file that is not there is an error, not a new database.
        return sqlite3.connect(f"file:{path.replace('?', '%3f').replace('#', '%23')}?mode=rw", uri=True, timeout=5)
    except sqlite3.OperationalError as error:
        raise Failed(
            records.CODE_VALIDATION_ERROR, f"{path}: {error}", "config.path", records.FAULT_DESTINATION
        ) from error


def columns_of(db, table, setting):
    columns = db.execute(f"pragma table_info({quoted(table)})").fetchall()
    if not columns:
        raise Failed(
            records.CODE_NOT_FOUND, f"there is no table {table}", setting, records.FAULT_DESTINATION
        )
    return columns


class Connector(rpc.ConnectorServiceServicer):
    def Spec(self, request, context):
        if 1 not in request.protocol_versions:
            abort(context, Failed(records.CODE_VALIDATION_ERROR, "this plugin speaks version 1 of the protocol"))
        return pb.SpecResponse(
            protocol_version=1,
            type="sqlite",
            version="1.0.0",
            title="SQLite",
            description="Tables of an SQLite database.",
            config_schema=json.dumps(CONFIG_SCHEMA),
            source=pb.SourceCapabilities(
                modes=[pb.SOURCE_MODE_FULL, pb.SOURCE_MODE_INCREMENTAL], own_cursor=True
            ),
            destination=pb.DestinationCapabilities(
                modes=[pb.DESTINATION_MODE_APPEND, pb.DESTINATION_MODE_UPSERT]
            ),
        )

    def Check(self, request, context):
        try:
            with connect(request.instance) as db:
                db.execute("select count(*) from sqlite_master")
        except sqlite3.DatabaseError as error:
            abort(context, Failed(records.CODE_VALIDATION_ERROR, str(error), "config.path", records.FAULT_DESTINATION))
        except Failed as error:
            abort(context, error)
        return pb.CheckResponse()

    def Discover(self, request, context):
        streams = []
        try:
            with connect(request.instance) as db:
                names = db.execute(
                    "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"
                ).fetchall()
                for (name,) in names:
                    columns = columns_of(db, name, "")
                    properties = {
                        column: {"type": [TYPES[kind], "null"]} if kind in TYPES else {}
                        for _, column, kind, _, _, _ in columns
                    }
                    key = [column for _, column, _, _, _, part in sorted(columns, key=lambda c: c[5]) if part]
                    streams.append(
                        pb.StreamInfo(
                            name=name, schema=json.dumps({"type": "object", "properties": properties}), key=key
                        )
                    )
        except (Failed, sqlite3.Error) as error:
            abort(context, error)
        return pb.DiscoverResponse(streams=streams)

    def Read(self, requests, context):
        first = next(requests).open
        credit = Credit(requests, context)
        try:
            db = connect(first.instance)
            table = quoted(first.stream)
            names = [column[1] for column in columns_of(db, first.stream, "source.stream")]
            last = json.loads(first.cursor)["rowid"] if first.cursor else -(2**63)
            yield pb.ReadResponse(opened=pb.ReadOpened())
            # By rowid, so that a page can be begun anywhere: no transaction stays open while sluice takes its time.
            while credit.wait(first.batch_records):
                rows = db.execute(
                    f"select rowid, * from {table} where rowid > ? order by rowid limit ?", (last, first.batch_records)
                ).fetchall()
                for batch in cut(rows, names, first):
                    last = json.loads(batch.cursor)["rowid"]
                    credit.spend(batch.records.count)
                    yield pb.ReadResponse(batch=batch)
                if len(rows) < first.batch_records:
                    return
        except (Failed, sqlite3.Error) as error:
            abort(context, error)

    def Write(self, requests, context):
        first = next(requests).open
        try:
            db = connect(first.instance)
            columns = [column[1] for column in columns_of(db, first.stream, "destination.stream")]
            yield pb.WriteResponse(opened=pb.WriteOpened(concurrency=1))
            for request in requests:
                if request.HasField("complete"):
                    yield pb.WriteResponse(result=pb.WriteResult(id=request.complete.id))
                elif request.HasField("batch"):
                    yield pb.WriteResponse(result=written(db, columns, first, request.batch))
        except (Failed, sqlite3.Error) as error:
            abort(context, error)

    def Lookup(self, request, context):
        abort(context, Failed(records.CODE_VALIDATION_ERROR, "it looks nothing up"))

    def Lifecycle(self, request, context):
        return pb.LifecycleResponse()


class Credit:
    """What sluice lets the source send; grants come on the request stream while batches go out."""

    def __init__(self, requests, context):
        self.left = 0
        self.open = True
        self.changed = threading.Condition()
        context.add_callback(self.close)
        threading.Thread(target=self.take, args=(requests,), daemon=True).start()

    def take(self, requests):
        try:
            for request in requests:
                with self.changed:
                    self.left += request.credit.records
                    self.changed.notify()
        except grpc.RpcError:
            pass
        self.close()

    def close(self):
        with self.changed:
            self.open = False
            self.changed.notify()

    def wait(self, count):
        """Whether so many may be sent; False once the call is over."""
        with self.changed:
            while self.open and self.left < count:
                self.changed.wait()
            return self.open

    def spend(self, count):
        with self.changed:
            self.left -= count


def cut(rows, names, aims):
    """Batches of no more bytes than asked for, save where a single row is larger."""
    texts, ids, size = [], [], 0
    for rowid, *values in rows:
        text = json.dumps(dict(zip(names, map(plain, values))), separators=(",", ":")).encode()
        if texts and size + len(text) + 1 > aims.batch_bytes:
            yield batch_of(aims.stream, texts, ids)
            texts, ids, size = [], [], 0
        texts.append(text)
        ids.append(rowid)
        size += len(text) + 1
    if texts:
        yield batch_of(aims.stream, texts, ids)


def plain(value):
    return value.hex() if isinstance(value, bytes) else value


def batch_of(table, texts, ids):
    return pb.ReadBatch(
        records=records.Records(data=b"\n".join(texts), count=len(texts)),
        cursor=json.dumps({"rowid": ids[-1]}),
        base=table,
        # Negative rowids, too, have a number of their own.
        ordinals=[rowid % 2**64 for rowid in ids],
    )


def written(db, columns, options, batch):
    """One transaction for the batch; a row that is refused fails alone."""
    failed = []
    try:
        db.execute("begin immediate")
        for index, text in enumerate(batch.records.data.decode().split("\n")):
            db.execute("savepoint record")
            try:
                write(db, columns, options, json.loads(text))
            except sqlite3.OperationalError:
                raise
            except (sqlite3.Error, ValueError, OverflowError) as error:
                db.execute("rollback to record")
                failed.append(pb.WriteFailure(index=index, failure=failure_of(error)))
            db.execute("release record")
        db.commit()
    except sqlite3.OperationalError as error:
        # It is of no record's making, and nothing of the batch is written.
        db.rollback()
        return pb.WriteResult(id=batch.id, failure=failure_of(error))
    return pb.WriteResult(id=batch.id, failed=failed)


def write(db, columns, options, record):
    if not isinstance(record, dict):
        raise ValueError("a row is made of an object")
    if not record:
        raise ValueError("a row has a column at least")
    unknown = [name for name in record if name not in columns]
    if unknown:
        raise ValueError(f"there is no column {unknown[0]}")
    names = ", ".join(map(quoted, record))
    values = [json.dumps(value) if isinstance(value, (dict, list)) else value for value in record.values()]
    statement = f"insert into {quoted(options.stream)} ({names}) values ({', '.join('?' * len(values))})"
    if options.mode == pb.DESTINATION_MODE_UPSERT:
        key = ", ".join(map(quoted, options.key))
        changes = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in record)
        statement += f" on conflict ({key}) do update set {changes}"
    db.execute(statement, values)


def main():
    # A call takes a thread while it is under way.
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=64),
        options=[("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)],
    )
    rpc.add_ConnectorServiceServicer_to_server(Connector(), server)
    serving = health.HealthServicer()
    serving.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(serving, server)
    address = f"unix:{tempfile.mkdtemp(prefix='sluice-sqlite-')}/socket"
    server.add_insecure_port(address)
    server.start()
    print(json.dumps({"sluice": 1, "address": address}), flush=True)
    stop = queue.SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: stop.put("asked"))
    threading.Thread(target=lambda: (sys.stdin.read(), stop.put("closed")), daemon=True).start()
    stop.get()
    server.stop(grace=3).wait()


if __name__ == "__main__":
    main()
