import { expect, test } from 'vitest';
import { settle, VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { createTurns } from './turns.ts';

const setUp = () => {
  const clock = new VirtualClock();
  const turns = createTurns(clock, { running: 2, waiting: 3, limitMs: 10_000 });
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
  };
  const read = (name: string) => turns.read(work(name));
  const change = (name: string) => turns.change(work(name));
  const end = async (name: string) => {
    ends.get(name)!();
    await settle();
  };
  return { clock, turns, begun, read, change, end };
};
const busy = { status: 503, code: 'http-busy' };

test('two run, three wait in their order, and the rest is refused at once', async () => {
  const { begun, read, end } = setUp();
  const [a] = ['a', 'b', 'c', 'd', 'e'].map(read);
  await expect(read('f')).rejects.toMatchObject(busy);
  await settle();
  expect(begun).toEqual(['a', 'b']);
  await end('b');
  expect(begun).toEqual(['a', 'b', 'c']);
  await end('a');
  expect(await a).toBe('a');
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
});

test('what a person changes goes before all reads, though their queue is full', async () => {
  const { begun, read, change, end } = setUp();
  for (const name of ['a', 'b', 'c', 'd', 'e']) read(name).catch(() => {});
  const changed = change('w');
  await settle();
  await end('a');
  await end('w');
  expect(await changed).toBe('w');
  expect(begun).toEqual(['a', 'b', 'w', 'c']);
});

test('a read has ten seconds, of which waiting is a part; one that waited them through is not begun', async () => {
  const { clock, begun, read, end } = setUp();
  const outcomes = ['a', 'b', 'c'].map((name) => read(name).catch((error) => error));
  await clock.advance(9_000);
  await end('a');
  // The place rests: a read that took long must not be followed by the next one at once.
  expect(begun).toEqual(['a', 'b']);
  await clock.advance(500);
  expect(begun).toEqual(['a', 'b', 'c']);
  const waits = read('d').catch((error) => error);
  await clock.advance(500);
  expect(await outcomes[1]).toMatchObject(busy);
  expect(await outcomes[2]).toMatchObject(busy);
  // Both places are held until their reads end: the database is still at work on them.
  await clock.advance(9_500);
  expect(await waits).toMatchObject(busy);
  await end('b');
  expect(begun).toEqual(['a', 'b', 'c']);
});

test('a change that has begun is waited for, however long it takes', async () => {
  const { clock, change, end } = setUp();
  const changed = change('w');
  await clock.advance(60_000);
  await end('w');
  expect(await changed).toBe('w');
});

test('a read that fails gives its place back', async () => {
  const { turns, begun, read } = setUp();
  for (let n = 0; n < 5; n++)
    await expect(turns.read(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  read('a').catch(() => {});
  await settle();
  expect(begun).toEqual(['a']);
});
