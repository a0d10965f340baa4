import type { Route } from "./route.ts";

/** By path, the methods that it knows, in the order of the routes; none: there is no such path. */
export function allowedMethods(routes: readonly Pick<Route, "method" | "path">[]): (path: string) => readonly string[] {
  const paths = new Map<string, { readonly pattern: RegExp; readonly methods: string[] }>();
  for (const { method, path } of routes) {
    const known = paths.get(path) ?? { pattern: patternOf(path), methods: [] };
    paths.set(path, known);
    // What answers to GET answers to HEAD.
    known.methods.push(...(method === "GET" ? ["GET", "HEAD"] : [method]));
  }
  return (path) => {
    const found = new Set<string>();
    for (const { pattern, methods } of paths.values()) {
      if (pattern.test(path)) for (const method of methods) found.add(method);
    }
    return [...found];
  };
}

function patternOf(path: string): RegExp {
  const parts = path.split(/\{\w+\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/]+")}$`);
}
