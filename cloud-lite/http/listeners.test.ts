import { expect, test } from 'vitest';
import { createListeners } from './listeners.ts';

const setUp = () => {
  const listeners = createListeners({ all: 5, client: 3 });
  const gone: string[] = [];
  const add = (client: string, name: string, writableLength = 0) => {
    const heard: string[] = [];
    listeners.add(client, {
      writableLength,
      write: (text) => heard.push(text),
      end: (text) => {
        heard.push(text);
        gone.push(name);
      },
      destroy: () => gone.push(name),
      on: () => {},
    });
    return heard;
  };
  return { listeners, gone, add };
};

test('one more than a client may have costs the client its own oldest, which is told why', () => {
  const { gone, add, listeners } = setUp();
  const heard = add('a', 'a1');
  for (const name of ['a2', 'a3', 'a4', 'a5']) add('a', name);
  expect(gone).toEqual(['a1', 'a2']);
  expect(heard.join('')).toMatch(/retry: 30000\nevent: bye\ndata: {"why":"3 pages of one address .+"}\n\n$/);
  expect(listeners.count()).toBe(3);
});

test('one more than there is room for costs whoever has the most, never the newcomer', () => {
  const { gone, add } = setUp();
  for (const name of ['a1', 'a2', 'a3']) add('a', name);
  for (const name of ['b1', 'b2']) add('b', name);
  add('c', 'c1');
  expect(gone).toEqual(['a1']);
  for (let n = 1; n < 20; n++) add(`x${n}`, `x${n}`);
  // However many come, each is let in.
  expect(gone).not.toContain('x19');
});

test('one that does not read is let go', () => {
  const { gone, add, listeners } = setUp();
  const heard = add('a', 'a1');
  add('a', 'stuck', 65 * 1024);
  listeners.send('event');
  expect(gone).toEqual(['stuck']);
  expect(heard).toEqual(['event']);
});
