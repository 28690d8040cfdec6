// Loaded before a process under test: its wall clock stands off from the machine's. The file HOLDFAST_TEST_CLOCK says when it was set
// and how far off it stands since then, both in ms, a line each time. Files show the times at which that clock would have stamped
// them. The monotonic clock is the machine's.
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';

const RealDate = Date;
const real = RealDate.now.bind(RealDate);
let settings = [];
let readAt = Number.NEGATIVE_INFINITY;

function offsetAt(time) {
  if (performance.now() - readAt >= 10) {
    readAt = performance.now();
    const lines = readFileSync(process.env.HOLDFAST_TEST_CLOCK, 'utf8').trim().split('\n');
    settings = lines.map((line) => line.split(' ').map(Number));
  }
  return settings.findLast(([setAt]) => setAt <= time)?.[1] ?? 0;
}

const now = () => real() + offsetAt(real());

globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [now()] : given));
  }
  static now() {
    return now();
  }
};

const probe = await open(process.execPath);
const handles = Object.getPrototypeOf(probe);
const { stat } = handles;
handles.stat = async function (options) {
  const facts = await stat.call(this, options);
  if (options?.bigint) facts.ctimeNs += BigInt(offsetAt(Number(facts.ctimeNs / 1_000_000n))) * 1_000_000n;
  return facts;
};
await probe.close();
