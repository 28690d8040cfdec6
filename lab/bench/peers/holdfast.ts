// Holdfast on the same work: readings of 80 bytes as JSON, kept through windows and spool while the hub is away.
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runChild } from '../harness/child.ts';
import type { Peer } from './peer.ts';
import { run } from './process.ts';

const keep = new URL('holdfast-keep.child.ts', import.meta.url);
const count = new URL('holdfast-count.child.ts', import.meta.url);

export const holdfast: Peer = {
  name: 'Holdfast',
  async start(folder) {
    const settings = JSON.stringify({ folder: join(folder, 'spool') });
    const server = run(process.execPath, [fileURLToPath(keep), settings]);
    let kept = 0;
    let durable = 0;
    let ready = () => {};
    const isReady = new Promise<void>((resolve) => {
      ready = resolve;
    });
    createInterface(server.child.stdout!).on('line', (line) => {
      ({ kept, durable } = JSON.parse(line) as { kept: number; durable: number });
      ready();
    });
    await isReady;
    // It has been keeping since: what was before does not count.
    return {
      pid: server.pid,
      send: () => ({
        get handed() {
          return kept;
        },
        get accepted() {
          return durable;
        },
        async stop() {},
      }),
      kill: () => server.kill(),
    };
  },
  async recover(folder) {
    const { readings } = await runChild(count, { folder: join(folder, 'spool') });
    return readings!;
  },
};
