"""Serves a connector class to sluice: handshake, calls, credit and errors. connector.py has the class."""

import json
import queue
import shutil
import signal
import sys
import tempfile
import threading
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from protocol import pb, records, rpc

MESSAGE_BYTES = 64 << 20


class Failed(Exception):
    """What becomes a sluice.record.v1.Failure. Any other exception is a defect of this program."""

    def __init__(self, code, message, path="", fault=records.FAULT_UNSPECIFIED):
        super().__init__(message)
        self.failure = records.Failure(code=code, message=message, path=path, fault=fault)


def misconfigured(code, path, message):
    """A setting that is wrong: records wait until it is mended."""
    return Failed(code, message, path, records.FAULT_DESTINATION)


def left():
    """Of a record that a write did not come to, since the far side went away: it waits, and that counts no attempt."""
    return Failed(records.CODE_UNAVAILABLE, "the write did not come to it", fault=records.FAULT_DESTINATION)


STATUS = {
    records.CODE_VALIDATION_ERROR: grpc.StatusCode.INVALID_ARGUMENT,
    records.CODE_UNAUTHORIZED: grpc.StatusCode.UNAUTHENTICATED,
    records.CODE_FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    records.CODE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    records.CODE_RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    records.CODE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    records.CODE_TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def failure_of(error):
    if isinstance(error, Failed):
        return error.failure
    return records.Failure(
        code=records.CODE_INTERNAL_ERROR, fault=records.FAULT_TRANSIENT, message=str(error) or type(error).__name__
    )


def abort(context, error):
    """Ends a call with the failure in its trailer."""
    failure = failure_of(error)
    context.set_trailing_metadata((("sluice-failure-bin", failure.SerializeToString()),))
    context.abort(STATUS.get(failure.code, grpc.StatusCode.INTERNAL), failure.message)


class Service(rpc.ConnectorServiceServicer):
    def __init__(self, connector_class):
        self.connector_class = connector_class

    def _open(self, instance):
        return self.connector_class(json.loads(instance.config))

    def Spec(self, request, context):
        if 1 not in request.protocol_versions:
            abort(context, misconfigured(records.CODE_VALIDATION_ERROR, "", "it speaks version 1 of the protocol alone"))
        return self.connector_class.spec()

    def Check(self, request, context):
        try:
            self._open(request.instance).check()
        except Exception as error:
            abort(context, error)
        return pb.CheckResponse()

    def Discover(self, request, context):
        try:
            streams = self._open(request.instance).discover()
        except Exception as error:
            abort(context, error)
        return pb.DiscoverResponse(streams=streams)

    def Read(self, requests, context):
        options = next(requests).open
        credit = Credit(requests, context)
        try:
            cursor = json.loads(options.cursor) if options.cursor else None
            rows = self._open(options.instance).open_source(options, cursor)
            yield pb.ReadResponse(opened=pb.ReadOpened())
            batches = cut(rows, options)
            # Nothing is read that could not be sent.
            while credit.wait(options.batch_records):
                batch = next(batches, None)
                if batch is None:
                    return
                credit.spend(batch.records.count)
                yield pb.ReadResponse(batch=batch)
        except Exception as error:
            abort(context, error)

    def Write(self, requests, context):
        options = next(requests).open
        try:
            destination = self._open(options.instance).open_destination(options)
        except Exception as error:
            abort(context, error)
        try:
            # One batch at a time keeps their order.
            yield pb.WriteResponse(opened=pb.WriteOpened(concurrency=1))
            for request in requests:
                yield pb.WriteResponse(result=answer(destination, request))
        except grpc.RpcError:
            pass  # It was cancelled.
        finally:
            destination.close()


def answer(destination, request):
    try:
        if request.HasField("complete"):
            result = pb.WriteResult(id=request.complete.id)
            destination.complete()
        else:
            result = pb.WriteResult(id=request.batch.id)
            for index, error in destination.write(request.batch.records.data.split(b"\n")).items():
                result.failed.add(index=index, failure=failure_of(error))
    except Exception as error:
        result.failure.CopyFrom(failure_of(error))
    return result


def cut(rows, options):
    """Batches within their aims, save where a single record is larger."""
    texts, ordinals, size, place = [], [], 0, None
    for text, ordinal, cursor in rows:
        if texts and (len(texts) == options.batch_records or size + len(text) + 1 > options.batch_bytes):
            yield batch_of(options.stream, texts, ordinals, place)
            texts, ordinals, size = [], [], 0
        texts.append(text)
        ordinals.append(ordinal)
        size += len(text) + 1
        place = cursor
    if texts:
        yield batch_of(options.stream, texts, ordinals, place)


def batch_of(stream, texts, ordinals, cursor):
    return pb.ReadBatch(
        records=records.Records(data=b"\n".join(texts), count=len(texts)),
        cursor=json.dumps(cursor),
        base=stream,
        ordinals=ordinals,
    )


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


def serve(connector_class):
    """Serves until stdin closes or it is asked to end."""
    # A call takes a thread while it is under way.
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=64),
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)],
    )
    rpc.add_ConnectorServiceServicer_to_server(Service(connector_class), server)
    serving = health.HealthServicer()
    serving.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(serving, server)
    folder = tempfile.mkdtemp(prefix="sluice-plugin-")
    address = f"unix:{folder}/socket"
    server.add_insecure_port(address)
    server.start()
    # The first line on stdout says where it is served. All else goes to stderr, which is sluice's log.
    print(json.dumps({"sluice": 1, "address": address}), flush=True)
    stop = queue.SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: stop.put("asked"))
    threading.Thread(target=lambda: (sys.stdin.read(), stop.put("closed")), daemon=True).start()
    stop.get()
    server.stop(grace=3).wait()
    shutil.rmtree(folder, ignore_errors=True)
