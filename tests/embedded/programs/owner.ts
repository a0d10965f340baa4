// A process that owns both servers, to be killed by the test.
import { startNats, startPostgres } from "../../../adapters/embedded/index.ts";

const dataDir = process.argv[2]!;
const [nats, postgres] = await Promise.all([startNats({ dataDir, port: 0 }), startPostgres({ dataDir, port: 0 })]);
console.log(JSON.stringify({ nats: nats.pid, postgres: postgres.pid }));
