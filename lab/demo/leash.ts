// Ends a child process when its parent is gone. Loaded before the child's own code (`node --import`). The parent holds the
// other end of descriptor 3 and never writes to it: it closes when the parent ends, in whatever way, kill -9 included.
import { Socket } from 'node:net';

const leash = new Socket({ fd: 3, readable: true, writable: false });
const letGo = () => process.kill(process.pid, 'SIGKILL');
leash.on('end', letGo).on('error', letGo).on('close', letGo);
leash.resume();
// It must not keep a process alive that has nothing left to do.
leash.unref();
