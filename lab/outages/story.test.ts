import { expect, test } from 'vitest';
import { differences } from './story.ts';

const down = (reason?: string) => JSON.stringify({ code: 'link-down', reason, msg: 'the link is down: ..' });
const back = JSON.stringify({ msg: 'the link is back: what waited is being sent' });

test.each<[string, string[], string[], number, RegExp | undefined]>([
  ['nothing was noticed', [], [], 0, undefined],
  ['short, and not logged', [], ['no route'], 4000, undefined],
  [
    'short, and its cause is known',
    [JSON.stringify({ code: 'link-down', reason: 'no route', msg: 'uplink not connected' })],
    ['no route'],
    4000,
    undefined,
  ],
  ['one cause', [down('no route'), back], ['no route'], 20_000, undefined],
  ['a cause that changed', [down('no route'), back], ['no route', 'no answer'], 20_000, undefined],
  ['no cause yet', [down(), back], ['no reason known yet'], 6000, undefined],
  ['another cause', [down('no answer'), back], ['no route'], 20_000, /says "no answer".*say "no route"/],
  ['a silent log', [], ['no route'], 20_000, /says nothing of 20000 ms/],
  ['no end', [down('no route')], ['no route'], 20_000, /link is back/],
])('%s', (_name, log, causes, longestMs, problem) => {
  const found = differences(`not JSON\n${log.join('\n')}\n`, new Set(causes), longestMs);
  if (problem === undefined) expect(found).toEqual([]);
  else expect(found).toEqual([expect.stringMatching(problem)]);
});
