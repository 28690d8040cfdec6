import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { messageOf } from './compose-rules.ts';
import { type Intent, intentId } from './rules/actions/intent.ts';

const page = readFileSync(new URL('../docs/WIRE.md', import.meta.url), 'utf8');
const section = (title: string) => page.split(/^## /m).find((text) => text.startsWith(title))!;
const fence = (title: string) => JSON.parse(/```json.*\n([\s\S]*?)```/.exec(section(title))![1]!);

const time = Date.UTC(2026, 10, 21, 22, 20, 10);
const verdict = { rule: 'overheated', output: 'output', key: '[]', time, ordinal: 0 };
const target = { kind: 'send', output: 'control' } as const;
const intent = (value: object): Intent => ({
  id: intentId(verdict, 0),
  ...{ rule: 'overheated', target, value: value as Intent['value'], time },
  ...{ bornAt: time, boot: 'boot', bornMs: 0, validForMs: 30_000, perMinute: 60, dryRun: false },
});

test('what `send` sends is what docs/WIRE.md says', () => {
  const row = fence('What rules send');
  const { body, ...message } = messageOf(intent(row));
  expect(JSON.parse(body.toString())).toEqual(row);
  expect(message).toEqual({
    messageId: intentId(verdict, 0),
    properties: { rule: 'overheated' },
    contentEncoding: 'utf-8',
    creationTime: time,
  });
  expect(messageOf({ ...intent(row), beforeDurable: true }).properties).toEqual({
    rule: 'overheated',
    beforeDurable: 'true',
  });
  for (const name of ['rule', 'beforeDurable'])
    expect(section('What rules send')).toContain(`property \`${name}\``);
});

test('the row of an action in docs/WIRE.md names the message that was sent', () => {
  const action = fence('Streams of rules').find(({ tag }: { tag: string }) => tag.startsWith('action#'));
  expect(action.v).toMatchObject({ id: intentId(verdict, 0), target, time });
  expect(`rule:overheated;${action.tag.slice('action#'.length)}`).toBe(action.v.id);
});
