import dgram from "node:dgram";
import module, { syncBuiltinESMExports } from "node:module";
import net from "node:net";

/**
 * The permission model keeps files, programs, threads and inspectors from a process, but, before Node 25, not the
 * network. So the sandbox's process gives up what leads there before it runs anybody's code: that would have to break
 * out of V8's isolate first, and would find nothing then. Call it last: nothing can be imported afterwards.
 */
export function seal(): void {
  const closed = (): never => {
    throw new Error("the sandbox's process has no network");
  };
  const lock = (object: object, names: readonly string[]) => {
    for (const name of names)
      Object.defineProperty(object, name, { value: closed, writable: false, configurable: false });
  };
  lock(net.Socket.prototype, ["connect"]);
  lock(net.Server.prototype, ["listen"]);
  lock(net, ["connect", "createConnection", "createServer", "Server"]);
  lock(dgram.Socket.prototype, ["bind", "connect", "send"]);
  lock(dgram, ["createSocket", "Socket"]);
  module.registerHooks({ resolve: closed, load: closed });
  lock(module, ["createRequire", "registerHooks", "register", "_load"]);
  lock(process, ["getBuiltinModule", "binding", "_linkedBinding", "dlopen"]);
  syncBuiltinESMExports();
}
