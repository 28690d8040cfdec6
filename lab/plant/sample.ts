// What the equipment measures. Every value is a pure function of seed, unit and record number, so the
// truth never has to be stored: it is computed again. Only integer arithmetic and exactly rounded
// operations are used (no sine), so that the same seed gives the same bits on every machine.
import { labelLength, levelScale, sampleBlock, statusBits } from './register-map.ts';

/** One sample as the equipment holds it; `level` in tenths, as in its register. */
export interface Sample {
  readonly temperature: number;
  readonly pressure: number;
  readonly flow: number;
  readonly energy: number;
  readonly status: number;
  readonly level: number;
  readonly label: string;
}

/** What a correct decoder gets for each tag: `level` scaled, float32 widened, status bits as booleans. */
export interface TagValues {
  readonly temperature: number;
  readonly pressure: number;
  readonly flow: number;
  readonly energy: number;
  readonly status: number;
  readonly running: boolean;
  readonly alarm: boolean;
  readonly door: boolean;
  readonly level: number;
  readonly label: string;
}

const baseTemperature = [0, 27, 68, 22];
// The flow counter wraps past 2^32 at about this record: a reader has to survive it.
const flowWrapsAtRecord = 500;
const flowPerRecord = 7;

export function sampleAt(seed: number, unit: number, recordNumber: number): Sample {
  const noise = (lane: number) => hash(seed, unit, recordNumber, lane) / 2 ** 32;
  const slow = (lane: number, shift: number) => hash(seed, unit, Math.floor(recordNumber / 2 ** shift), lane);
  const base = baseTemperature[unit] ?? 40;
  const temperature = Math.fround(base + 8 * triangle(recordNumber, 400) + noise(1) * 2 - 1);
  const flowStart = 2 ** 32 - flowWrapsAtRecord * flowPerRecord + (hash(seed, unit, 0, 3) % 256);
  const isRunning = slow(5, 6) % 8 !== 0;
  const isAlarm = temperature > base + 7;
  const isDoorOpen = slow(6, 3) % 4 === 0;
  return {
    temperature,
    pressure: Math.fround(1.5 + 0.5 * triangle(recordNumber + 90, 250) + noise(2) * 0.125),
    flow:
      (flowStart + recordNumber * flowPerRecord + (hash(seed, unit, recordNumber, 3) % flowPerRecord)) >>> 0,
    energy: unit * 1_000_000 + recordNumber * 0.125 + noise(4) * 0.125,
    status:
      (slow(7, 4) & 0xfff8) |
      (Number(isRunning) << statusBits.running) |
      (Number(isAlarm) << statusBits.alarm) |
      (Number(isDoorOpen) << statusBits.door),
    // `|| 0`: rounding gives -0, which no register can hold.
    level: Math.round(450 * triangle(recordNumber, 700) - 100 + noise(8) * 10) || 0,
    label: labelAt(seed, unit, recordNumber),
  };
}

/** The values of one sample as a decoder reports them. */
export function tagValues(sample: Sample): TagValues {
  return {
    temperature: sample.temperature,
    pressure: sample.pressure,
    flow: sample.flow,
    energy: sample.energy,
    status: sample.status,
    running: isSet(sample.status, statusBits.running),
    alarm: isSet(sample.status, statusBits.alarm),
    door: isSet(sample.status, statusBits.door),
    // Scaling by a tenth is meant in decimal: 3 / 10 is 0.3, 3 * 0.1 is not.
    level: sample.level / Math.round(1 / levelScale),
    label: sample.label,
  };
}

/** Writes the sample block (26 registers, big-endian) into `out` from byte `at` on. */
export function encodeSample(
  sample: Sample,
  number: number,
  timestampMs: number,
  out: Buffer,
  at: number,
): void {
  const byte = (register: number) => at + register * 2;
  out.writeBigUInt64BE(BigInt(timestampMs), byte(sampleBlock.timestamp));
  out.writeUInt32BE(number >>> 0, byte(sampleBlock.number));
  out.writeFloatBE(sample.temperature, byte(sampleBlock.temperature));
  out.writeFloatBE(sample.pressure, byte(sampleBlock.pressure));
  out.writeUInt32BE(sample.flow, byte(sampleBlock.flow));
  out.writeDoubleBE(sample.energy, byte(sampleBlock.energy));
  out.writeUInt16BE(sample.status, byte(sampleBlock.status));
  out.writeInt16BE(sample.level, byte(sampleBlock.level));
  out.fill(0, byte(sampleBlock.label), byte(sampleBlock.label) + labelLength);
  out.write(sample.label, byte(sampleBlock.label), labelLength, 'ascii');
}

function isSet(word: number, bit: number): boolean {
  return ((word >> bit) & 1) === 1;
}

/** From -1 to 1 and back over `period` records. */
function triangle(position: number, period: number): number {
  const phase = (position % period) / period;
  return phase < 0.5 ? 4 * phase - 1 : 3 - 4 * phase;
}

/** Changes every 50 records; 11 to 16 characters, so that both padded and full labels occur. */
function labelAt(seed: number, unit: number, recordNumber: number): string {
  const lot = Math.floor(recordNumber / 50);
  const mark = hash(seed, unit, lot, 9);
  let suffix = '';
  for (let i = 0; i < mark % 6; i++) suffix += String.fromCharCode(65 + ((mark >>> (4 + 4 * i)) % 26));
  return `L${unit % 10}-${String(lot % 1e7).padStart(7, '0')}-${suffix}`;
}

/** An unsigned 32-bit mix of all four arguments (murmur3's steps). Record numbers up to 2^53. */
function hash(seed: number, unit: number, recordNumber: number, lane: number): number {
  let h = seed >>> 0;
  for (const word of [unit, recordNumber >>> 0, Math.floor(recordNumber / 2 ** 32), lane]) {
    let k = Math.imul(word, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h ^= k;
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
