// Loaded before a process under test: its wall clock stands off by as many ms as the file HOLDFAST_TEST_CLOCK says, from the moment
// on at which that is written. Its monotonic clock is the machine's.
import { readFileSync } from 'node:fs';

const real = Date.now.bind(Date);
const RealDate = Date;
let offsetMs = 0;
let readAt = Number.NEGATIVE_INFINITY;

function now() {
  if (performance.now() - readAt >= 10) {
    readAt = performance.now();
    try {
      offsetMs = Number(readFileSync(process.env.HOLDFAST_TEST_CLOCK, 'utf8')) || 0;
    } catch {}
  }
  return real() + offsetMs;
}

globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [now()] : given));
  }
  static now() {
    return now();
  }
};
