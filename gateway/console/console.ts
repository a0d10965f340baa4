import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** As fastify knows it: files with their hash in the name, the same for every installation. */
export const assetsUrl = "/assets/*";

/** Where the page has its nonce (console/vite.config.ts). */
const placeholder = "{nonce}";

export interface Console {
  /** Whether a browser asks for a page, which the console shows, where no route takes the request. */
  shows(request: FastifyRequest): boolean;
  /** Answers with the console: its own routes are in the browser. */
  show(reply: FastifyReply): Promise<FastifyReply>;
}

/** Serves the console that was built into `folder` (scripts/console.mjs). It calls the API as everybody does. */
export function addConsole(app: FastifyInstance, folder: string): Console {
  app.register(fastifyStatic, {
    root: join(folder, "assets"),
    prefix: "/assets/",
    decorateReply: false,
    index: false,
    preCompressed: true,
    immutable: true,
    maxAge: "365d",
    suppressWarning: true,
  });
  return {
    shows: ({ method, url, headers: { accept } }) =>
      (method === "GET" || method === "HEAD") &&
      accept !== undefined &&
      accept.includes("text/html") &&
      !/^\/(v1|assets)(\/|$)/.test(url),
    async show(reply) {
      // Read each time: the console may be built anew while the node runs, with other names in it.
      const page = await readFile(join(folder, "index.html"), "utf8").catch(() => null);
      const nonce = randomBytes(16).toString("base64");
      return reply
        .status(page === null ? 503 : 200)
        .header("content-security-policy", policy(nonce))
        .header("cache-control", "no-cache")
        .type("text/html; charset=utf-8")
        .serializer(String)
        .send(page?.replaceAll(placeholder, nonce) ?? notBuilt);
    },
  };
}

/** Everything of its own server, no script in the page, and no style but by files and by who knows the nonce. */
const policy = (nonce: string): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");

const notBuilt =
  "<!doctype html><title>sluice</title><p>The console is not built. Run <code>node scripts/console.mjs</code> in the clone, and load this page again.";
