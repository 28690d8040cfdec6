import { describe, expect, it } from 'vitest';
import { StepProof } from './step-proof.ts';

const read = (address: number, count: number) => Buffer.from([7, 3, 0, address, 0, count]);

function answer(steps: StepProof, request: Buffer, isProof: boolean): void {
  const isTelling = steps.sent(request);
  steps.heard();
  steps.answered(request, { isRefusal: false, isTelling, isProof });
}

/** Two reads are answered, and nothing comes for a third one of another length. */
function silent(isDoubtful: boolean, hasProved: boolean): boolean {
  const steps = new StepProof({ isShown: false });
  if (hasProved) answer(steps, read(2, 3), true);
  for (let asked = 0; asked < 2; asked++) answer(steps, read(2, 1), false);
  steps.doubt();
  steps.sent(read(2, 2));
  steps.failed(true, isDoubtful);
  return steps.isShown;
}

describe('a read that nothing came for, behind two that were answered', () => {
  it('shows that the unit is in step: one that lags would have said what was asked before', () => {
    for (const hasProved of [true, false]) expect(silent(false, hasProved)).toBe(true);
  });

  it('shows nothing where one of the two may have been answered by what was said twice, of a unit that answers such reads', () => {
    expect(silent(true, true)).toBe(false);
    expect(silent(true, false)).toBe(true);
  });
});
