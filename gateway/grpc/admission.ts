import { constants, type ServerHttp2Stream } from "node:http2";
import { Metadata, ServerInterceptingCall, type ServerInterceptor, type ServiceError, status } from "@grpc/grpc-js";
import {
  type Authenticator,
  admit,
  type Identity,
  type RequestLimits,
  requireScopes,
  type Scope,
} from "../auth/index.ts";
import { requestIdOf } from "../rest/requests.ts";

export interface AdmissionOptions {
  readonly auth: Authenticator;
  readonly limits: RequestLimits;
  /** By path, the methods that want a token; all others are for anybody. */
  readonly wanted: ReadonlyMap<string, { readonly scopes: readonly Scope[]; readonly isData: boolean }>;
  readonly patience: Patience;
  readonly failed: (error: unknown, requestId: string, path: string) => ServiceError;
}

/** How long a client may take, in milliseconds. */
export interface Patience {
  /** To send its message, all of it. */
  readonly message: number;
  /** To read on in what it is sent. */
  readonly answer: number;
  /** To end a call that is answered already. */
  readonly grace: number;
}

/** Whose a call is. */
export interface Admitted {
  readonly caller: Identity;
  readonly requestId: string;
}

/** Of a call that wants no token, whatever it sends: a question for health or reflection has some dozen bytes. */
const openBytes = 64 * 1024;

/**
 * Looks at who calls before anything of the message is read: until then, what comes waits in the windows of HTTP/2, 64 KiB
 * for each stream. Calls are cut off whose messages do not come, and whose answers nobody takes.
 */
export function admission({ auth, limits, wanted, patience, failed }: AdmissionOptions): {
  readonly interceptor: ServerInterceptor;
  /** By the metadata that the method is called with. */
  admittedOf(metadata: Metadata): Admitted;
} {
  const admitted = new WeakMap<Metadata, Admitted>();

  const interceptor: ServerInterceptor = ({ path }, call) => {
    // What nobody else is shown of grpc-js: only the stream itself can be closed.
    const stream = Reflect.get(call, "stream") as ServerHttp2Stream;
    const closeAfter = (ms: number, close: () => void) => {
      const timer = setTimeout(close, ms);
      timer.unref();
      stream.once("close", () => clearTimeout(timer));
      return timer;
    };
    /** With what came of it thrown away, and the rest of it not waited for. */
    const refuse = (error: Pick<ServiceError, "code" | "details"> & { readonly metadata?: Metadata }) => {
      call.sendStatus(error);
      closeAfter(patience.grace, () => stream.close(constants.NGHTTP2_NO_ERROR));
    };
    const slow = closeAfter(patience.message, () => {
      const details = `the request did not come within ${patience.message / 1000} s`;
      refuse({ code: status.DEADLINE_EXCEEDED, details });
    });
    stream.once("end", () => clearTimeout(slow));

    const method = wanted.get(path);
    if (method === undefined) {
      refuseLarge(stream, (code, details) => {
        call.sendStatus({ code, details });
        stream.close(constants.NGHTTP2_NO_ERROR);
      });
    }
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, pass) {
            if (method === undefined) return pass(metadata);
            const requestId = requestIdOf(textOf(metadata, "x-request-id"));
            const answered = new Metadata();
            answered.set("x-request-id", requestId);
            call.sendMetadata(answered);
            const knock = { authorization: textOf(metadata, "authorization"), address: addressOf(call.getPeer()) };
            admit({ ...knock, isData: method.isData }, { auth, limits })
              .then(({ caller }) => {
                requireScopes(caller, method.scopes);
                admitted.set(metadata, { caller, requestId });
                pass(metadata);
              })
              .catch((error: unknown) => refuse(failed(error, requestId, path)));
          },
        }),
      // Node begins to count anew whenever some of it has gone out.
      sendMessage(answer, pass) {
        pass(answer);
        if (stream.listenerCount("timeout") > 0) return;
        stream.setTimeout(patience.answer, () => {
          if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
        });
      },
    });
  };

  return { interceptor, admittedOf: (metadata) => admitted.get(metadata) as Admitted };
}

/** Small messages, and none that grows when it is unpacked. To be called before anything is read of the stream. */
function refuseLarge(stream: ServerHttp2Stream, refuse: (code: status, details: string) => void): void {
  const hasPacked = packedFinder();
  let bytes = 0;
  const look = (chunk: Buffer) => {
    bytes += chunk.length;
    const isLarge = bytes > openBytes;
    if (!isLarge && !hasPacked(chunk)) return;
    stream.off("data", look);
    if (isLarge) refuse(status.RESOURCE_EXHAUSTED, `more than ${openBytes} bytes are sent`);
    else refuse(status.UNIMPLEMENTED, "messages to this method are not compressed");
  };
  // Before grpc-js unpacks it.
  stream.prependListener("data", look);
}

/**
 * Whether a message that begins in a chunk, given one after the other, is marked as compressed. Each has a mark of a
 * byte, and its length in four, before it.
 */
export function packedFinder(): (chunk: Buffer) => boolean {
  /** Of the head of a message, how many bytes have come. */
  let head = 0;
  let length = 0;
  /** Of the message, how many are to come. */
  let left = 0;
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (left > 0) {
        const taken = Math.min(left, chunk.length - at);
        left -= taken;
        at += taken;
        continue;
      }
      const byte = chunk[at++] as number;
      if (head === 0 && byte !== 0) return true;
      length = head === 0 ? 0 : length * 256 + byte;
      head = (head + 1) % 5;
      if (head === 0) left = length;
    }
    return false;
  };
}

export function textOf(metadata: Metadata, name: string): string | undefined {
  return metadata.get(name)[0]?.toString();
}

/** Without its port. */
function addressOf(peer: string): string {
  return peer.replace(/:\d+$/, "").replaceAll(/[[\]]/g, "");
}
