import { describe, expect, test } from 'vitest';
import { gapsShown, notHealed, type RowSeen, voidsShown } from './dashboard-look.ts';

const whole: RowSeen = {
  stream: 'press',
  state: 'Whole',
  complete: '100 %',
  lack: '',
  past: 'press, last 5 min: backfilled 3 %, covered 97 %',
  gaps: '–',
};

describe('a look at the dashboard', () => {
  test('finds the streams with holes, whichever way the page shows them', () => {
    const look = [
      whole,
      { ...whole, stream: 'boiler', past: 'boiler, last 5 min: covered 98 %, missing 2 %' },
      { ...whole, stream: 'meter', past: 'meter, last 5 min: covered 98 %, being fetched 2 %' },
      { ...whole, stream: 'mixer', lack: '2 s missing' },
      { ...whole, stream: 'scale', gaps: '1' },
    ];
    expect(gapsShown(look)).toEqual(['boiler', 'meter', 'mixer', 'scale']);
    expect(gapsShown([whole])).toEqual([]);
  });

  test('takes a stream for healed that is whole, or lacks only what is void', () => {
    const meter = { ...whole, stream: 'meter', complete: '93.1 %', lack: '7 s void' };
    expect(notHealed([whole, meter], ['press', 'meter'])).toEqual([]);
    expect(voidsShown([whole, meter])).toEqual(['meter']);
  });

  test('says what is not healed: absent, with a hole, or short of something without a reason', () => {
    const hole = { ...whole, stream: 'boiler', complete: '98 %', lack: '2 s missing' };
    const silent = { ...whole, stream: 'meter', complete: '98 %' };
    expect(notHealed([hole, silent], ['press', 'boiler', 'meter'])).toEqual([
      'the dashboard does not show press',
      'the dashboard shows boiler with 2 s missing',
      'the dashboard shows meter 98 % complete and does not say why',
    ]);
  });
});
