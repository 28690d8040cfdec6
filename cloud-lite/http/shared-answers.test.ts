import { expect, test } from 'vitest';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { shareAnswers } from './shared-answers.ts';

const setUp = (tookMs: number) => {
  const clock = new VirtualClock();
  const made: string[] = [];
  const answers = shareAnswers(async (question: string) => {
    made.push(question);
    await new Promise<void>((resolve) => {
      clock.setTimer(tookMs, resolve);
    });
    if (question === 'bad') throw new Error('no answer');
    return `${question} ${made.length}`;
  }, clock);
  return { clock, made, answers };
};

test('who asks while an answer is being made gets that one', async () => {
  const { clock, made, answers } = setUp(10);
  const both = Promise.all([answers.get('a'), answers.get('a'), answers.get('b')]);
  await clock.advance(10);
  expect(await both).toEqual(['a 2', 'a 2', 'b 2']);
  expect(made).toEqual(['a', 'b']);
});

test('a costly answer is given again for four times as long as it took; a quick one never', async () => {
  for (const [tookMs, after, times] of [
    [200, 799, 1],
    [200, 801, 2],
    [90, 0, 2],
    [30_000, 9999, 1],
    [30_000, 10_001, 2],
  ] as const) {
    const { clock, made, answers } = setUp(tookMs);
    const first = answers.get('a');
    await clock.advance(tookMs);
    await first;
    await clock.advance(after);
    const second = answers.get('a');
    await clock.advance(tookMs);
    await second;
    expect(made.length, `${tookMs} ms, asked again after ${after}`).toBe(times);
  }
});

test('a failure reaches all who wait, and is not kept', async () => {
  const { clock, made, answers } = setUp(500);
  const both = Promise.allSettled([answers.get('bad'), answers.get('bad')]);
  await clock.advance(500);
  expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const again = answers.get('bad').catch(() => 'failed again');
  await clock.advance(500);
  expect(await again).toBe('failed again');
  expect(made.length).toBe(2);
});

test('keeps the answers to twenty questions at most', async () => {
  const { clock, made, answers } = setUp(1000);
  const many = Array.from({ length: 21 }, (_, n) => answers.get(`q${n}`));
  await clock.advance(1000);
  await Promise.all(many);
  await answers.get('q20');
  expect(made.length).toBe(21);
  const first = answers.get('q0');
  await clock.advance(1000);
  await first;
  expect(made.length).toBe(22);
});
