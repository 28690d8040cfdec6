import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { FakeSource } from './fake-source.ts';
import { sourceContract } from './source-contract.ts';

sourceContract('the fake source', async () => {
  const clock = new VirtualClock();
  const source = new FakeSource();
  let isNew = true;
  let session = 0;
  let count = 0;
  return {
    source,
    lossLimitMs: 500,
    async produce(samples) {
      for (let i = 0; i < samples; i++) {
        await clock.advance(100);
        isNew = source.sessions !== session;
        session = source.sessions;
        source.sample(clock.now(), { count: count++, label: `s${count}` }, isNew);
      }
    },
    advance: (ms) => clock.advance(ms),
    cut: () => source.lose(),
    heal: () => source.restore(),
    mischief: [{ name: 'loss', begin: () => source.lose() }],
    dispose: async () => {},
  };
});
