// A server that takes so many operations in one request, and says of no limit.
import { expect, it } from 'vitest';
import type { ProbedTag } from '../probe.ts';
import { collect, hasReadings, never, serverUnderTest } from './testing/server-under-test.ts';

const server = serverUnderTest();

it.each([1, 3])(
  'each service is asked in parts that the server takes, %i: all tags are read, and history',
  async (operations) => {
    await server.plant.setFaults({ operations });
    const source = server.sourceOf();
    const run = server.begin(source);
    await run.until(hasReadings(20));
    expect(run.sink.breaches()).toEqual([]);
    const tags = new Set(run.sink.readings.map(({ tag }) => tag));
    expect(tags.size).toBeGreaterThan(5);
    const now = Date.now();
    const pages = await collect(source, now - 5000, now - 3000);
    expect(pages.length).toBeGreaterThan(0);
  },
);

it.each(['BadRequestTooLarge', 'BadResponseTooLarge', 'BadEncodingLimitsExceeded'] as const)(
  'a server that says %s of too many items is asked for fewer, and each value comes once',
  async (operationsStatus) => {
    await server.plant.setFaults({ operations: 3, operationsStatus });
    const run = server.begin(server.sourceOf());
    await run.until(hasReadings(20));
    expect(run.sink.breaches()).toEqual([]);
    const values = run.sink.readings.map(({ tag, index }) => `${tag} ${index}`);
    expect(new Set(values).size).toBe(values.length);
  },
);

it('folders are walked and paths are found all the same, and a probe shows each tag', async () => {
  await server.plant.setFaults({ operations: 2 });
  const paths = ['temperature', 'pressure', 'flow', 'energy'];
  const source = server.sourceOf({
    history: undefined,
    snapshots: true,
    tags: paths.map((name) => ({ name, path: `1:Plant/1:kiln/1:${name}` })),
    folders: [{ path: '1:Plant/1:tank', prefix: 'tank.' }],
  });
  const found: ProbedTag[] = [];
  for await (const tag of source.probe!(never)) found.push(tag);
  expect(found.filter(({ quality }) => quality === 'good').length).toBeGreaterThanOrEqual(14);
});
