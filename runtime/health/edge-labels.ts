// The labels that identify the module in metrics: those that edgeHub puts on its own, so that one query covers both.
import type { Labels } from '../../kernel/metrics.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Under IoT Edge from its variables, elsewhere from the connection string; the key in that is not looked at.
 * `instance`: another one at each start.
 */
export function edgeLabels(
  environment: Environment,
  connectionString: string | undefined,
  instance: string,
): Labels {
  const fields = new Map(
    (connectionString ?? '').split(';').map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, Math.max(0, at)).trim(), part.slice(at + 1).trim()] as const;
    }),
  );
  const { IOTEDGE_IOTHUBHOSTNAME: hub, IOTEDGE_DEVICEID: device, IOTEDGE_MODULEID: module } = environment;
  const named = (field: string, variable: string | undefined) =>
    (connectionString === undefined ? variable : fields.get(field)) ?? '';
  return {
    iothub: named('HostName', hub),
    edge_device: named('DeviceId', device),
    instance_number: instance,
    module_name: named('ModuleId', module) || 'holdfast',
  };
}
