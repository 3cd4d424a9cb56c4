/**
 * A server for trying the official clients against the API alone: `node serve.ts [port]` prints the variables to set.
 * Runs and builds are scripted; everything else is real.
 */
import { startApiServer } from './api-server.ts';

const server = await startApiServer({ port: Number(process.argv[2] ?? 0) });
process.stdout.write(
  `export ISOLATE_TEST_MODE=1 FAL_HOST=${server.authority} FAL_REST_HOST=${server.authority} FAL_KEY=${server.key}\n`,
);
process.once('SIGTERM', () => void server.stop());
process.once('SIGINT', () => void server.stop());
