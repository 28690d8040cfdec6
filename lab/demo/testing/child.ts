// A stand-in for the demo's children: ready at once, does nothing, ends as its arguments say.
import { setTimeout as sleep } from 'node:timers/promises';

const [behaviour] = process.argv.slice(2);

if (behaviour === 'fails') {
  console.error('no such luck');
  process.exit(3);
}
if (behaviour === 'ignores-sigterm') process.on('SIGTERM', () => {});
else process.on('SIGTERM', () => process.exit(0));

if (behaviour !== 'never-ready') {
  console.log('a line that is not JSON');
  console.log(JSON.stringify({ ready: true, pid: process.pid }));
}
console.error('about to work');
if (behaviour === 'crashes') {
  await sleep(50);
  process.exit(1);
}
setInterval(() => {}, 60_000);
