import { HoldfastError } from '../../kernel/errors.ts';
import { settle } from '../../kernel/testing/virtual-clock.ts';
import { createFakeUplink } from './testing/fake-uplink.ts';
import { type UplinkWorld, uplinkContract } from './testing/uplink-contract.ts';

uplinkContract('fake', async (): Promise<UplinkWorld> => {
  const uplink = createFakeUplink();
  let givingBack = 0;
  uplink.onSend = () =>
    givingBack-- > 0 ? new HoldfastError('uplink-not-accepted', 'given back', { retryable: true }) : 'accept';
  return {
    uplink,
    received: () => uplink.received,
    async cut() {
      uplink.cut();
    },
    async heal() {
      uplink.onSend = () => 'accept';
      uplink.heal();
    },
    async giveBackNext(count) {
      givingBack = count;
    },
    async hold() {
      uplink.onSend = () => 'hold';
    },
    call: uplink.call.bind(uplink),
    reported: () => uplink.reported,
    async eventually(check) {
      for (let turn = 0; turn < 50 && !check(); turn++) await settle();
      if (!check()) throw new Error('it never came true');
    },
    async end() {
      await uplink.stop();
    },
  };
});
