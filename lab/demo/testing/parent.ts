// Starts one child through `processes.ts`, says its pid, and waits to be killed or told to crash.
import { createProcesses } from '../processes.ts';

const [folder, script, ending] = process.argv.slice(2) as [string, string, string];
const child = createProcesses({ folder }).supervise({ name: 'child', script });
const line = await child.start();
console.log(line.pid);
if (ending === 'throws') throw new Error('the demo has a bug');
setInterval(() => {}, 60_000);
