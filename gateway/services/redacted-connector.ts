import type { Connector } from "../../connectors/sdk/index.ts";
import type { Redactor } from "../../runtime/config/index.ts";

interface Reported {
  readonly message: string;
}

/**
 * Invariant 7: whatever a far side, a library or a plugin quotes of a connector's secrets, nobody behind this sees it.
 * Errors thrown by the connector, and by what it opens, and the failures of single records lose them.
 */
export function redactedConnector(connector: Connector, redactor: Redactor): Connector {
  return guarded(connector, redactor);
}

/** Texts, and what its methods give and throw, are looked through; all other members are as they are. */
function guarded<T extends object>(target: T, redactor: Redactor): T {
  const fail = (error: unknown): never => {
    throw redactor.redactError(error);
  };
  const seen = (result: unknown): unknown => {
    if (typeof result !== "object" || result === null) return result;
    if (Symbol.asyncIterator in result || ("next" in result && typeof result.next === "function")) {
      return guarded(result, redactor);
    }
    // A source or a destination.
    if ("close" in result && typeof result.close === "function") return guarded(result, redactor);
    if ("failed" in result && Array.isArray(result.failed)) return { ...result, failed: clean(result.failed) };
    // A batch of an iterator.
    if ("value" in result && "done" in result) {
      const batch = result.value as { readonly failures?: readonly Reported[]; readonly notice?: string } | undefined;
      const { failures, notice } = batch ?? {};
      if (failures !== undefined || notice !== undefined) {
        const told = {
          ...(failures && { failures: clean(failures) }),
          ...(notice && { notice: redactor.redact(notice) }),
        };
        return { ...result, value: { ...batch, ...told } };
      }
    }
    return result;
  };
  const clean = (failures: readonly Reported[]) =>
    failures.map((failure) => ({ ...failure, message: redactor.redact(failure.message) }));
  return new Proxy(target, {
    get(_, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member === "string") return redactor.redact(member);
      // Warnings.
      if (Array.isArray(member)) return member.map((each) => (typeof each === "string" ? redactor.redact(each) : each));
      if (typeof member !== "function") return member;
      return (...args: unknown[]) => {
        try {
          // Called on the target itself: a proxy has none of its private members.
          const result: unknown = Reflect.apply(member, target, args);
          return result instanceof Promise ? result.then(seen, fail) : seen(result);
        } catch (error) {
          return fail(error);
        }
      };
    },
  });
}
