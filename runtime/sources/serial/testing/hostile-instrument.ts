// An instrument that records, says each record with a check sum, and does to its lines what bad cables do:
// `hostile-instrument.ts PORT SEED FIRST`. On its standard output it tells the truth, as JSON, before it says anything.
import { constants, openSync, writeSync } from 'node:fs';
import { randomInt, seededRandom } from '../../../../kernel/random.ts';

const [port, seed, first] = process.argv.slice(2) as [string, string, string];
const random = seededRandom(Number(seed));
const line = openSync(port, constants.O_RDWR | constants.O_NOCTTY);
let number = Number(first);

function sentence(text: string): Buffer {
  let sum = 0;
  for (const byte of Buffer.from(text)) sum ^= byte;
  return Buffer.from(`$${text}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`);
}

function say(whole: Buffer): void {
  const cut = 1 + randomInt(random, whole.length - 2);
  switch (randomInt(random, 24)) {
    case 0:
      return;
    case 1:
      whole[cut] = whole[cut]! ^ (1 << randomInt(random, 5));
      writeSync(line, whole);
      return;
    case 2:
      // The end is lost.
      writeSync(line, whole.subarray(0, -2));
      return;
    case 3:
      writeSync(line, whole.subarray(0, cut));
      return;
    case 4:
      writeSync(line, Buffer.concat([whole, whole]));
      return;
    case 5:
      writeSync(line, Buffer.concat([Buffer.from([0, 0xff, 0x24, 0x0d, 0x0a]), whole]));
      return;
    case 6:
      writeSync(line, whole.subarray(0, cut));
      setTimeout(() => writeSync(line, whole.subarray(cut)), 3);
      return;
    default:
      writeSync(line, whole);
  }
}

setInterval(() => {
  const record = { number: number++, value: randomInt(random, 1_000_000) };
  process.stdout.write(`${JSON.stringify(record)}\n`);
  say(sentence(`D,${record.number},${record.value}`));
}, 15);
