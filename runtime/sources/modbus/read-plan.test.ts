import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tables } from '../codec/fields.ts';
import { type Block, type Item, planReads, splitBlock } from './read-plan.ts';

const limits = { maxRegisters: 125, maxBits: 2000, maxHole: 32 };
const holding = (address: number, width = 1): Item => ({ table: 'holding', address, width });
const shape = (blocks: readonly Block[]) =>
  blocks.map(({ table, address, count }) => [table, address, count]);

const item = fc
  .record({
    table: fc.constantFrom(...tables),
    address: fc.nat(65_535),
    width: fc.integer({ min: 1, max: 125 }),
  })
  .map(({ table, address, width }) => ({ table, address, width: Math.min(width, 65_536 - address) }));
const anyLimits = fc.record({
  maxRegisters: fc.constant(125),
  maxBits: fc.integer({ min: 125, max: 2000 }),
  maxHole: fc.nat(124),
});

describe('the read plan', () => {
  it('reads neighbours with one request', () => {
    expect(shape(planReads([holding(12, 2), holding(10, 2), holding(14)], limits))).toEqual([
      ['holding', 10, 5],
    ]);
  });

  it('reads over a hole within the budget, and not over a wider one', () => {
    expect(planReads([holding(0), holding(33)], limits)).toHaveLength(1);
    expect(planReads([holding(0), holding(34)], limits)).toHaveLength(2);
  });

  it('does not measure a hole from inside a wide value', () => {
    const items = [holding(0, 40), holding(2), holding(60)];
    expect(shape(planReads(items, limits))).toEqual([['holding', 0, 61]]);
  });

  it('starts another request at the limit', () => {
    const items = Array.from({ length: 126 }, (_, at) => holding(at));
    expect(shape(planReads(items, limits))).toEqual([
      ['holding', 0, 125],
      ['holding', 125, 1],
    ]);
  });

  it('keeps the tables apart', () => {
    const items = tables.map((table): Item => ({ table, address: 5, width: 1 }));
    expect(planReads(items, limits)).toHaveLength(4);
  });

  it('covers every item, within the limits, whatever the items', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 200 }), anyLimits, (items, some) => {
        const blocks = planReads(items, some);
        expect(blocks.flatMap((block) => block.items).length).toBe(items.length);
        for (const block of blocks) {
          const isBits = block.table === 'coil' || block.table === 'discrete';
          expect(block.count).toBeLessThanOrEqual(isBits ? some.maxBits : some.maxRegisters);
          expect(block.address + block.count).toBeLessThanOrEqual(65_536);
          for (const each of block.items) {
            expect(each.table).toBe(block.table);
            expect(each.address).toBeGreaterThanOrEqual(block.address);
            expect(each.address + each.width).toBeLessThanOrEqual(block.address + block.count);
          }
        }
      }),
    );
  });

  it('halves a refused block at its widest hole first', () => {
    const [block] = planReads([holding(0), holding(1), holding(10), holding(12)], limits);
    expect(shape(splitBlock(block!)!)).toEqual([
      ['holding', 0, 2],
      ['holding', 10, 3],
    ]);
  });

  it('does not halve what lies in the same registers', () => {
    const [block] = planReads([holding(7), holding(7), holding(7)], limits);
    expect(splitBlock(block!)).toBeUndefined();
  });

  it('ends at single places, losing no item, however often it halves', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 60 }), (items) => {
        const pending = [...planReads(items, limits)];
        const leaves: Block[] = [];
        let steps = 0;
        for (let block = pending.pop(); block; block = pending.pop()) {
          const halves = splitBlock(block);
          if (halves) pending.push(...halves);
          else leaves.push(block);
          steps += 1;
        }
        expect(leaves.flatMap((block) => block.items)).toHaveLength(items.length);
        expect(steps).toBeLessThan(2 * items.length);
      }),
    );
  });
});
