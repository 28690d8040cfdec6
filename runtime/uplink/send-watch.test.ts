import { expect, test } from 'vitest';
import { createSendWatch } from './send-watch.ts';

test('nothing in flight is no doubt, however long', () => {
  const watch = createSendWatch(30_000);
  watch.settled(watch.sent(0, 1_000), 10);
  expect(watch.doubt(1e9)).toBeUndefined();
});

test('without any acknowledgement for the limit there is doubt', () => {
  const watch = createSendWatch(30_000);
  watch.settled(watch.sent(0, 1_000), 900);
  watch.sent(1_000, 1_000);
  expect(watch.doubt(30_999)).toBeUndefined();
  expect(watch.doubt(31_000)).toContain('nothing acknowledged for 30.0 s');
});

test('the first message of a connection has as much time as a slow link takes for its size', () => {
  const small = createSendWatch(30_000);
  small.sent(1_000, 4_000);
  expect(small.doubt(9_400)).toBeUndefined();
  expect(small.doubt(9_500)).toContain('nothing acknowledged');
  const large = createSendWatch(30_000);
  large.sent(0, 262_144);
  expect(large.doubt(29_999)).toBeUndefined();
  expect(large.doubt(30_000)).toBeDefined();
});

test('a slow link that goes on acknowledging is sound, whatever the age of the newest', () => {
  const watch = createSendWatch(30_000);
  const ids = Array.from({ length: 10 }, () => watch.sent(0, 200_000));
  for (const [i, id] of ids.entries()) {
    expect(watch.doubt(i * 25_000 + 24_000)).toBeUndefined();
    watch.settled(id, (i + 1) * 25_000);
  }
  expect(watch.inFlight).toBe(0);
});

test('one message that is never settled while later ones are gives doubt', () => {
  const watch = createSendWatch(30_000);
  const stuck = watch.sent(0, 1_000);
  let now = 0;
  for (let i = 0; i < 29; i++) {
    now += 1_000;
    watch.settled(watch.sent(now, 1_000), now);
    expect(watch.doubt(now)).toBeUndefined();
  }
  for (let i = 0; i < 3; i++) {
    now += 1_000;
    watch.settled(watch.sent(now, 1_000), now);
  }
  expect(watch.doubt(now)).toContain('one message not settled');
  watch.settled(stuck, now);
  expect(watch.doubt(now)).toBeUndefined();
});

test('a message that becomes the oldest only now has its own time', () => {
  const watch = createSendWatch(30_000);
  const first = watch.sent(0, 1_000);
  const second = watch.sent(0, 1_000);
  watch.settled(watch.sent(0, 1_000), 29_000);
  watch.settled(first, 29_500);
  expect(watch.doubt(50_000)).toBeUndefined();
  expect(watch.doubt(59_500)).toBeDefined();
  watch.settled(second, 59_600);
  expect(watch.doubt(99_999)).toBeUndefined();
});
