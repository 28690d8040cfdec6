import type { Server } from 'node:net';

/**
 * Lets everyone in, at most `max` at once: for one more the oldest connection goes. A limit that refuses the newest lets
 * whoever opens that many, and says nothing, shut all others out.
 */
export function keepNewestConnections(server: Server, max: number): void {
  const open = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    if (open.size <= max) return;
    const [oldest] = open;
    // At once: its `close` comes only later, and more may come before it.
    open.delete(oldest!);
    oldest!.destroy();
  });
}
