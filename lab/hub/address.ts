// The link addresses that devices and modules use.

export type DeviceLinkKind = 'events' | 'devicebound' | 'methods' | 'twin';

export interface DeviceAddress {
  readonly deviceId: string;
  readonly moduleId: string | undefined;
  readonly kind: DeviceLinkKind;
}

const pattern =
  /^\/?devices\/([^/]+)(?:\/modules\/([^/]+))?\/(messages\/events|messages\/devicebound|methods\/devicebound|twin)\/?$/i;
const kinds: Record<string, DeviceLinkKind> = {
  'messages/events': 'events',
  'messages/devicebound': 'devicebound',
  'methods/devicebound': 'methods',
  twin: 'twin',
};

export function parseDeviceAddress(address: unknown): DeviceAddress | undefined {
  if (typeof address !== 'string') return undefined;
  // A client may write the host in front: amqps://host/devices/...
  const match = pattern.exec(address.replace(/^amqps?:\/\/[^/]+/i, ''));
  if (!match) return undefined;
  return {
    deviceId: decodeURIComponent(match[1]!),
    moduleId: match[2] === undefined ? undefined : decodeURIComponent(match[2]),
    kind: kinds[match[3]!.toLowerCase()]!,
  };
}
