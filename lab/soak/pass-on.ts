// Takes connections at one place, and passes them on to another.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

export type Place = { readonly path: string } | { readonly host: string; readonly port: number };

export interface Passage {
  /** Where it listens; 0 for a path. */
  readonly port: number;
  close(): Promise<void>;
}

export async function passOn(from: Place, to: Place): Promise<Passage> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    // What ends at one end ends at the other.
    const done = () => {
      near.destroy();
      far.destroy();
    };
    Promise.all([pipeline(near, far), pipeline(far, near)]).then(done, done);
  });
  server.listen(from);
  await once(server, 'listening');
  const address = server.address() as AddressInfo | string;
  return {
    port: typeof address === 'string' ? 0 : address.port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
