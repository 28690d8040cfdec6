import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { type Fate, PowerSupply } from './power-supply.ts';

const newSupply = () => new PowerSupply(seededRandom(1));
const codeOf = (fate: Fate) => (typeof fate === 'object' ? fate.refused.code : fate);

describe('a disk that refuses', () => {
  it('is known to do so from its first refusal to its last', async () => {
    const supply = newSupply();
    supply.planFault({ atOperation: 2, code: 'EIO', count: 2 });
    const known = [];
    for (let n = 0; n < 4; n++) known.push([codeOf(await supply.operation()), supply.isRefusing]);
    expect(known).toEqual([
      ['done', false],
      ['EIO', true],
      ['EIO', false],
      ['done', false],
    ]);
  });

  it('goes on when the process starts again, until it is mended', async () => {
    const before = newSupply();
    before.planFault({ atOperation: 1, code: 'ENOSPC', count: 3 });
    await before.operation();
    const after = newSupply();
    after.goOnFrom(before);
    expect(codeOf(await after.operation())).toBe('ENOSPC');
    after.endFault();
    expect(codeOf(await after.operation())).toBe('done');
  });
});
