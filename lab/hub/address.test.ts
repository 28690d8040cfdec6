import { expect, test } from 'vitest';
import { parseDeviceAddress } from './address.ts';

test('link addresses name a device, perhaps a module, and what the link is for', () => {
  expect(parseDeviceAddress('/devices/d/modules/m/messages/events')).toEqual({
    deviceId: 'd',
    moduleId: 'm',
    kind: 'events',
  });
  expect(parseDeviceAddress('/devices/d%3A1/messages/devicebound')).toEqual({
    deviceId: 'd:1',
    moduleId: undefined,
    kind: 'devicebound',
  });
  expect(parseDeviceAddress('amqps://host/devices/d/methods/devicebound')?.kind).toBe('methods');
  expect(parseDeviceAddress('/devices/d/modules/m/twin')?.kind).toBe('twin');
});

test.each([undefined, '', '$cbs', '/devices/d', '/devices/d/twin/x', '/devices/d/modules/messages/events'])(
  '%j is none',
  (address) => {
    expect(parseDeviceAddress(address)).toBeUndefined();
  },
);
