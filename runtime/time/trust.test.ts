import { describe, expect, it } from 'vitest';
import { type ClockSettings, clockSchema } from './config.ts';
import { type Doubt, doubtOf, explainDoubt, type TrustFacts } from './trust.ts';

const hour = 3_600_000;
const releasedAt = Date.UTC(2026, 10, 1);
const recordedTo = Date.UTC(2026, 10, 22, 12);

/** A machine that started ten minutes after the last record, with us half a minute behind. */
const sound: TrustFacts = {
  startedAt: recordedTo + 600_000,
  upAtProcessStartMs: 30_000,
  upAtWatchMs: 30_000,
  watchedMs: 0,
  releasedAt,
  recordedTo,
  recordedBeforeStart: true,
  wasSet: false,
  synchronised: false,
};

type Row = [string, Partial<TrustFacts>, Partial<ClockSettings>, Doubt | undefined];

describe('a clock', () => {
  it.each<Row>([
    ['that goes on after a pause', {}, {}, undefined],
    ['at a first start', { recordedTo: undefined }, {}, undefined],
    ['at 1970', { startedAt: 0 }, {}, 'before-release'],
    [
      'just before the release',
      { startedAt: releasedAt - 30_001, recordedTo: undefined },
      {},
      'before-release',
    ],
    ['at the release', { startedAt: releasedAt - 30_000, recordedTo: undefined }, {}, undefined],
    ['20 years ahead', { startedAt: releasedAt + 21 * 365 * 24 * hour }, {}, 'far-ahead'],
    ['that started before the last record', { startedAt: recordedTo - 1 }, {}, 'behind-recorded'],
    [
      'the same, after it ticked past the record',
      { startedAt: recordedTo - 1, watchedMs: 5 * hour },
      {},
      'behind-recorded',
    ],
    ['that started with the last record', { startedAt: recordedTo }, {}, 'unconfirmed'],
    ['just below two minutes after it', { startedAt: recordedTo + 119_999 }, {}, 'unconfirmed'],
    ['two minutes after it', { startedAt: recordedTo + 120_000 }, {}, undefined],
    ['the same, watched for a minute', { startedAt: recordedTo, watchedMs: 60_000 }, {}, undefined],
    ['the same, where nobody wants to wait', { startedAt: recordedTo }, { confirmMs: 0 }, undefined],
    ['the same, having been set', { startedAt: recordedTo, wasSet: true }, {}, undefined],
    // Another machine with the same data, or a module that was off while the machine ran.
    [
      'of a machine that was up for an hour',
      { startedAt: recordedTo - hour, upAtWatchMs: hour },
      {},
      undefined,
    ],
    [
      'of such a machine, behind the record',
      { startedAt: recordedTo - 2 * hour, upAtWatchMs: hour },
      {},
      'behind-recorded',
    ],
    // Claims that may be of this very run: they say nothing about its start.
    [
      'without a record, but with claims',
      { startedAt: recordedTo - 10_000, recordedBeforeStart: false },
      {},
      undefined,
    ],
    [
      'without a record, behind the claims',
      { startedAt: recordedTo - 40_000, recordedBeforeStart: false },
      {},
      'behind-recorded',
    ],
    ['unproven where proof is asked for', {}, { trust: 'synchronised' }, 'not-synchronised'],
    ['proven by a file', { synchronised: true }, { trust: 'synchronised' }, undefined],
    ['proven by having been set', { wasSet: true }, { trust: 'synchronised' }, undefined],
    ['set to 1970', { startedAt: 0, wasSet: true }, { trust: 'synchronised' }, 'before-release'],
    ['at 1970 that is always trusted', { startedAt: 0 }, { trust: 'always' }, undefined],
  ])('%s', (_, facts, settings, expected) => {
    expect(doubtOf(clockSchema.parse(settings), { ...sound, ...facts })).toBe(expected);
  });

  it('is explained in words whatever it shows', () => {
    for (const doubt of [
      'before-release',
      'far-ahead',
      'behind-recorded',
      'unconfirmed',
      'not-synchronised',
    ] as const) {
      expect(explainDoubt(doubt, 8.64e15 + 1, { ...sound, recordedTo: undefined })).toContain(
        'the clock shows',
      );
    }
  });
});

describe('the settings', () => {
  it('have defaults, and say what goes with what', () => {
    expect(clockSchema.parse({})).toEqual({
      trust: 'plausible',
      confirmMs: 60_000,
      slewMs: 2000,
      policy: 'go-on-marked',
      policyAfterMs: 900_000,
      provisionalMaxBytes: 16 * 1024 * 1024,
    });
    const wrong = clockSchema.safeParse({ synchronisedFile: '/run/x' });
    expect(wrong.error?.issues).toMatchObject([
      { path: ['synchronisedFile'], message: expect.stringContaining('trust: synchronised') },
    ]);
  });
});
