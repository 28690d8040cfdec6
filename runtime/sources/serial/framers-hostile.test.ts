// Whatever a line brings: 10,000 byte strings for each framing and check sum neither crash nor hang nor fill the memory,
// every byte is accounted for, and how they were cut on their way changes nothing.
import { describe, expect, it } from 'vitest';
import { type Random, randomInt, seededRandom } from '../../../kernel/random.ts';
import { checksumNames } from './checksum-kinds.ts';
import { cut, parseFraming, readFrames } from './testing/frames.ts';

const framings = [
  { kind: 'delimiter', end: '\\r\\n', maxBytes: 40 },
  { kind: 'delimiter', end: '\\n', maxBytes: 300 },
  { kind: 'fixed', length: 12 },
  { kind: 'fixed', length: 12, start: '\\xAA\\x55' },
  { kind: 'start-end', maxBytes: 40, trailer: 2 },
  { kind: 'start-end', start: '$$', end: '##', maxBytes: 60 },
  { kind: 'length-field', offset: 1, size: 1, add: 2, maxBytes: 40 },
  { kind: 'length-field', start: '\\x02', offset: 1, size: 2, form: 'little', maxBytes: 100 },
  { kind: 'length-field', offset: 0, size: 2, form: 'hex', maxBytes: 60 },
  { kind: 'silence', maxBytes: 50 },
];
const checksums = [
  undefined,
  ...checksumNames
    .filter((kind) => kind !== 'nmea')
    .map((kind, at) => ({ kind, form: ['big', 'little', 'hex', 'decimal'][at % 4] })),
];
const strings = 10_000;
/** What means something to these framings: pure noise would never come as far. */
const telling = [
  '\r\n',
  '\n',
  '\x02',
  '\x03',
  '$$',
  '##',
  '\xaa\x55',
  '\x02\x05\x00',
  '\x00',
  '04',
  '0A',
  '12.5,',
  '*',
  '\xff',
];

function randomBytes(random: Random): Buffer {
  const length = randomInt(random, random.next() < 0.05 ? 200 : 40);
  const isTelling = random.next() < 0.8;
  const part = () =>
    isTelling ? telling[randomInt(random, telling.length)]! : String.fromCharCode(randomInt(random, 256));
  return Buffer.from(Array.from({ length }, part).join(''), 'latin1');
}

describe('framing survives 10,000 random byte strings', () => {
  for (const [number, framing] of framings.entries()) {
    it(`${framing.kind} ${number}: all bytes are accounted for, the same however they are cut`, () => {
      const seed = 1000 + number;
      const random = seededRandom(seed);
      const all = checksums.map((checksum) => parseFraming(framing, checksum));
      let frames = 0;
      for (let turn = 0; turn < strings; turn++) {
        // Most have none: a random check sum is seldom right.
        const at = turn % 2 === 0 ? 0 : (turn >> 1) % all.length;
        const config = all[at]!;
        const bytes = randomBytes(random);
        const isLost = random.next() < 0.5;
        const whole = readFrames(config, [bytes, 'silent', 'silent'], isLost);
        const pieces = readFrames(config, [...cut(bytes, random), 'silent', 'silent'], isLost);
        frames += whole.frames.length;
        const isSame =
          pieces.garbageBytes === whole.garbageBytes &&
          pieces.frames.length === whole.frames.length &&
          pieces.frames.every((frame, place) => frame === whole.frames[place]);
        const isBounded = pieces.mostKept < 1200 && whole.garbageBytes <= bytes.length;
        // `expect` takes longer than the framing.
        if (isSame && isBounded) continue;
        const name = `seed ${seed}, turn ${turn}, check sum ${at}: ${bytes.toString('hex')}`;
        expect(pieces, name).toEqual(whole);
        expect.fail(name);
      }
      // Or else it tests nothing.
      expect(frames).toBeGreaterThan(100);
    });
  }

  it('a sound NMEA sentence is found after whatever came before it', () => {
    const random = seededRandom(4);
    const config = parseFraming({ kind: 'delimiter', maxBytes: 100 }, { kind: 'nmea' });
    const sentence = Buffer.from(
      '$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76\r\n',
    );
    for (let turn = 0; turn < strings; turn++) {
      const bytes = Buffer.concat([randomBytes(random), Buffer.from('\r\n'), sentence]);
      const { frames } = readFrames(config, cut(bytes, random));
      expect(frames.at(-1), bytes.toString('hex')).toMatch(/^\$GPGGA.*,,$/);
    }
  });
});
