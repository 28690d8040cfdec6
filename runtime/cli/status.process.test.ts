// `holdfast status` before something else: the port may be that of another module of IoT Edge.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const main = join(import.meta.dirname, '../main.ts');

it.each(['<html>edgeHub</html>', '{}', '{"status":{}}', 'null'])(
  'says that what answers %s is no module',
  async (body) => {
    const server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const { code, stdout, stderr } = (await run(process.execPath, [main, 'status', '--url', url]).catch(
        (error: { code: number; stdout: string; stderr: string }) => error as typeof error,
      )) as { code?: number; stdout: string; stderr: string };
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('what answers there is no module of this kind');
    } finally {
      server.close();
      server.closeAllConnections();
    }
  },
);
