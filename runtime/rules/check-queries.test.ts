import { describe, expect, it } from 'vitest';
import { nearest } from '../config/nearest.ts';
import { checkQueries, type QuerySource } from './check-queries.ts';
import { ruleSchema } from './rule-settings.ts';

const press: QuerySource = { name: 'press', streamId: 'press', tags: ['takenAt', 'machine.temperature'] };
const problemsOf = (rule: object, sources: readonly QuerySource[] = [press]) => {
  const inputs = { input: { source: 'press' } };
  const settings = ruleSchema.parse({ name: 'hot', inputs, outputs: ['upstream'], ...rule });
  return checkQueries([settings], sources, nearest).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  );
};
const timed = (by: string) => ({ query: `SELECT 1 AS one\nINTO output FROM input TIMESTAMP BY ${by}` });

describe('TIMESTAMP BY', () => {
  it.each([
    'takenAt',
    'TAKENAT',
    'input.takenAt',
    'time',
    'EventEnqueuedUtcTime',
    'machine.temperature',
    'machine',
    "DATEADD(millisecond, takenAt, '1970-01-01T00:00:00Z')",
    "DATEADD(minute, DATEDIFF(hh, '2024-01-01', takenAt), CAST(takenAt AS datetime))",
  ])('%s is of the input', (by) => {
    expect(problemsOf(timed(by))).toEqual([]);
  });

  it('a name that no source of its input has is an error, with its place and what may be meant', () => {
    expect(problemsOf(timed('takenAd'))).toEqual([
      'rules.0.query: line 2, column 37: TIMESTAMP BY takenAd: no tag of press is named so. Did you mean takenAt?',
    ]);
    expect(problemsOf(timed('DATEADD(second, 1, moment)'))[0]).toMatch(
      /column 56: TIMESTAMP BY moment: no tag of press .* is time \(inputs\.input\.time\)/,
    );
  });

  it('is not judged where nobody lists the fields', () => {
    const { tags: _, ...open } = press;
    expect(problemsOf(timed('anything'), [open])).toEqual([]);
    expect(problemsOf(timed('anything'), [])).toEqual([]);
  });
});

describe('outputs', () => {
  const query = 'SELECT 1 AS one INTO alerts FROM input; SELECT 1 AS one INTO archive FROM input';

  it('say what becomes of each INTO', () => {
    expect(problemsOf({ query, outputs: { alerts: ['upstream'] } })).toEqual([
      "rules.0.outputs: says nothing of the rows INTO archive: add 'archive: [upstream]', or what else is to become of them ('archive: []': nothing)",
    ]);
    expect(problemsOf({ query, outputs: { alerts: ['upstream'], archive: [] } })).toEqual([]);
    expect(problemsOf({ query })).toEqual([]);
    expect(problemsOf({ query, outputs: { alerts: ['upstream'], archive: [], other: [] } })).toEqual([
      'rules.0.outputs.other: is no output of this rule; it has: alerts, archive',
    ]);
  });

  it('of the short form may be of one alone', () => {
    const when = { when: 'input.takenAt > 1', outputs: { when: ['upstream'] } };
    expect(problemsOf(when)).toEqual([]);
  });
});

describe('what is written', () => {
  const problemOf = (value: unknown) => (typeof value === 'number' ? undefined : 'must be a whole number');
  const writable = new Map([
    ['setpoint', { max: 95, problemOf }],
    ['note', {}],
  ] as const);
  const site: QuerySource[] = [{ ...press, writable }];
  const written = (query: object, output: string, field: string, tag = 'setpoint') =>
    problemsOf(
      { ...query, outputs: { [output]: [{ write: { source: 'press', tag, value: { field } } }] } },
      site,
    );
  const query = { query: 'SELECT machine.temperature AS wanted, System.Timestamp() AS at FROM input' };
  const short = { when: 'press.machine.temperature > 1', inputs: { press: { source: 'press' } } };
  const place = (output: string) => `rules.0.outputs.${output}.0.write.value.field`;

  it('is a column of the row', () => {
    expect(written(query, 'output', 'wanted')).toEqual([]);
    expect(written(query, 'output', 'wnated')).toEqual([
      `${place('output')}: is no column of output, which has: wanted, at; did you mean wanted?`,
    ]);
    expect(written({ query: 'SELECT * FROM input' }, 'output', 'anything')).toEqual([]);
  });

  it('is of a type that the tag takes', () => {
    expect(written(query, 'output', 'at')[0]).toContain(
      `${place('output')}: is datetime in output, and press`,
    );
    expect(written(short, 'when', 'state')[0]).toContain(`${place('when')}: is nvarchar(max) in when`);
    expect(written(short, 'when', 'state', 'note')).toEqual([]);
  });
});
