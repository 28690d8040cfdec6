import { expect, it } from 'vitest';
import { HalfMadeError, serviceFailed } from './opcua-errors.ts';
import { LearnedSizes, noLimits, OperationSizes } from './operation-sizes.ts';

/** A server that takes `most` operations at once. */
function taking(most: number, status = 'BadTooManyOperations') {
  const asked: number[] = [];
  const work = async (part: readonly number[]) => {
    asked.push(part.length);
    if (part.length > most) throw serviceFailed('it', status);
    return part.map((each) => 2 * each);
  };
  return { asked, work };
}

const items = Array.from({ length: 150 }, (_, at) => at);
const doubled = items.map((each) => 2 * each);

it('a request that is too long is asked in halves, in order, and the size is known to later sessions', async () => {
  const learned = new LearnedSizes();
  const first = taking(100);
  expect(await new OperationSizes(learned).inParts('itemsPerCall', items, first.work)).toEqual(doubled);
  expect(first.asked).toEqual([150, 75, 75]);
  const second = taking(100);
  expect(await new OperationSizes(learned).inParts('itemsPerCall', items, second.work)).toEqual(doubled);
  expect(second.asked).toEqual([75, 75]);
});

it('what one service takes says nothing of another', async () => {
  const sizes = new OperationSizes();
  await sizes.inParts('nodesPerRead', items, taking(7).work);
  const { asked, work } = taking(1000);
  await sizes.inParts('nodesPerBrowse', items, work);
  expect(asked).toEqual([150]);
  expect(sizes.limits.nodesPerRead).toBeLessThanOrEqual(7);
});

it('what was learned goes no further than what the server states', async () => {
  const sizes = new OperationSizes();
  sizes.stated = { ...noLimits, nodesPerRead: 10 };
  const { asked, work } = taking(100);
  await sizes.inParts('nodesPerRead', items, work);
  expect(Math.max(...asked)).toBe(10);
});

it.each(['BadResponseTooLarge', 'BadEncodingLimitsExceeded'])(
  'items are not asked for twice where they may have been made (%s): whoever starts over asks for half as many',
  async (status) => {
    const learned = new LearnedSizes();
    const { asked, work } = taking(100, status);
    const inParts = () => new OperationSizes(learned).inParts('itemsPerCall', items, work);
    await expect(inParts()).rejects.toBeInstanceOf(HalfMadeError);
    expect(asked).toEqual([150]);
    expect(await inParts()).toEqual(doubled);
    expect(asked).toEqual([150, 75, 75]);
  },
);

it.each(['BadTooManyOperations', 'BadRequestTooLarge', 'BadResponseTooLarge', 'BadEncodingLimitsExceeded'])(
  'each service that only looks is halved, whatever says that it is too much: %s',
  async (status) => {
    for (const service of [
      'nodesPerRead',
      'nodesPerBrowse',
      'nodesPerTranslate',
      'nodesPerHistoryRead',
    ] as const)
      expect(await new OperationSizes().inParts(service, items, taking(20, status).work)).toEqual(doubled);
  },
);

it('what is refused one by one is an error', async () => {
  const { asked, work } = taking(0);
  const learned = new LearnedSizes();
  await expect(new OperationSizes(learned).inParts('nodesPerRead', [1, 2, 3], work)).rejects.toMatchObject({
    status: 'BadTooManyOperations',
  });
  expect(asked).toEqual([3, 1]);
  expect(learned.of('nodesPerRead')).toBe(0);
});

it('where the server has no room for all items, those that it takes are watched, and the others say why', async () => {
  const learned = new LearnedSizes();
  let room = 100;
  const asked: number[] = [];
  const work = async (part: readonly number[]) => {
    asked.push(part.length);
    if (part.length > room) throw serviceFailed('it', 'BadTooManyMonitoredItems');
    room -= part.length;
    return part.map((each) => 2 * each);
  };
  const answers = await new OperationSizes(learned).inParts<number, number | string>(
    'itemsPerCall',
    items,
    work,
    (status) => status,
  );
  expect(answers.slice(0, 100)).toEqual(doubled.slice(0, 100));
  expect(new Set(answers.slice(100))).toEqual(new Set(['BadTooManyMonitoredItems']));
  expect(answers).toHaveLength(150);
  expect(asked.length).toBeLessThan(20);
  expect(learned.of('itemsPerCall')).toBe(0);
});
