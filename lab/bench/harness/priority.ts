// What is measured goes before whatever else the machine does, where we may say so (root on Linux, `chrt` of
// util-linux). Without it, on a busy machine, each step of a conversation between two processes waits for its turn, and
// what is measured is the queue. A higher nice value would not do: Linux weighs it within a session only.
import { execFileSync } from 'node:child_process';

/** Of the real-time class; the kernel still keeps 5 % of the time for all others. */
const priority = 10;

/** All threads of the process. False where it may not be raised. */
export function raisePriority(pid = process.pid): boolean {
  try {
    execFileSync('chrt', ['--all-tasks', '--fifo', '--pid', String(priority), String(pid)], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}
