import type { Grpc } from "../gateway/grpc/index.ts";
import { messageOf, SluiceError } from "../runtime/errors/index.ts";
import type { Logger } from "../runtime/ports/logger.ts";
import { defaultGrpcPort } from "./settings.ts";

/** Why a server cannot listen, with the setting that would help. What else it was is thrown as it is. */
export function listenError(error: unknown, port: number, what: string, setting: string): unknown {
  const code = /EADDRINUSE|EACCES/.exec(`${(error as NodeJS.ErrnoException).code} ${messageOf(error)}`)?.[0];
  if (code === undefined) return error;
  const why = code === "EADDRINUSE" ? "is taken by another program" : "is not for this user to open";
  return new SluiceError("UNAVAILABLE", `port ${port} for ${what} ${why}. Set ${setting} to a free port.`, [], error);
}

/** The port of gRPC: the one that is set, else 7401, else a free one, so that two nodes start side by side. */
export async function listenGrpc(
  grpc: Grpc,
  { host, grpcPort }: { readonly host: string; readonly grpcPort: number | undefined },
  logger: Logger,
): Promise<number> {
  const wanted = grpcPort ?? defaultGrpcPort;
  try {
    return await grpc.listen({ host, port: wanted });
  } catch (error) {
    const told = listenError(error, wanted, "the gRPC API", "SLUICE_GRPC_PORT");
    if (grpcPort !== undefined || told === error) throw told;
    const port = await grpc.listen({ host, port: 0 });
    logger.warn({ wanted, port }, "the port for gRPC is taken by another program, and another one is used");
    return port;
  }
}

/** Rethrows the failure of a server that the environment names, with the variable that does. */
export function naming(variable: string, given: string | undefined): (error: unknown) => never {
  return (error) => {
    if (given === undefined) throw error;
    const message = `${messageOf(error)} (as ${variable} says)`;
    throw error instanceof SluiceError
      ? new SluiceError(error.code, message, error.errors, error)
      : new Error(message, { cause: error });
  };
}
