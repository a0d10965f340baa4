import fastify from "fastify";

/** What answers with one JSON body and does nothing else. */
const app = fastify();
app.get("/", async () => ({ status: "ok" }));
await app.listen({ host: "127.0.0.1", port: 0 });
const address = app.addresses()[0] as { readonly port: number };
console.log(`http://127.0.0.1:${address.port}`);
process.on("SIGTERM", () => void app.close().then(() => process.exit(0)));
