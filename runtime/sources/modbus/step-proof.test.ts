import { describe, expect, it } from 'vitest';
import { StepProof } from './step-proof.ts';

const read = (address: number, count: number) => Buffer.from([7, 3, 0, address, 0, count]);

/** Two reads are answered, and nothing comes for a third one of another length. */
function silent(isDoubtful: boolean): StepProof {
  const steps = new StepProof();
  for (const address of [2, 2]) {
    const request = read(address, 1);
    steps.sent(request);
    steps.heard();
    steps.answered(request, { isRefusal: false, isTelling: false, isProof: false });
  }
  steps.doubt();
  steps.sent(read(2, 2));
  steps.failed(true, isDoubtful);
  return steps;
}

describe('a read that nothing came for, behind two that were answered', () => {
  it('shows that the unit is in step: one that lags would have said what was asked before', () => {
    expect(silent(false).isShown).toBe(true);
  });

  it('shows nothing where one of the two may have been answered by what was said twice', () => {
    expect(silent(true).isShown).toBe(false);
  });
});
