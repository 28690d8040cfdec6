// Loaded before a child's own code (`node --import`). The parent holds the other end of descriptor 3 and
// never writes to it: when it closes, the parent is gone, however it went, kill -9 included, and nobody
// would ever stop this process. So it stops itself.
import { Socket } from 'node:net';

const leash = new Socket({ fd: 3, readable: true, writable: false });
const letGo = () => process.kill(process.pid, 'SIGKILL');
leash.on('end', letGo).on('error', letGo).on('close', letGo);
leash.resume();
// It must not keep a process alive that has nothing left to do.
leash.unref();
