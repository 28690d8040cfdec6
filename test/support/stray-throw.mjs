// Loaded with `node --import` into a module under test. SIGUSR2: the AMQP library throws where nobody can catch it, as
// it does when a peer sends what it cannot read. SIGIO: so do we. SIGWINCH: a peer resets a connection to which nobody
// listens.
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';

const rhea = createRequire(import.meta.url)('rhea');
process.on('SIGUSR2', () => setImmediate(() => rhea.message.decode(Buffer.from([0, 0x53, 0x99, 1, 2]))));
process.on('SIGIO', () =>
  setImmediate(() => {
    throw new Error('a defect of ours');
  }),
);
process.on('SIGWINCH', () => {
  const server = createServer((peer) => peer.once('data', () => peer.resetAndDestroy()));
  server.listen(0, '127.0.0.1', () => connect(server.address().port, '127.0.0.1').write('hello'));
});
