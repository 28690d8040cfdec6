// Twin queries by the hub's REST call.
// https://learn.microsoft.com/rest/api/iothub/service/query/get-twins
import type { HubRest } from '../repair/hub-rest.ts';
import type { HubTwins, TwinAnswer } from './hub-twins.ts';

/** The hub's own limit. */
const pageSize = 100;
const timeoutMs = 30_000;
/** A hundred twins of 32 KB desired and 32 KB reported, with the metadata of each value. */
const maxBytes = 32 * 1024 * 1024;

export function createRestHubTwins(hub: HubRest): HubTwins {
  return {
    async query(query, from, signal) {
      const headers = {
        'x-ms-max-item-count': String(pageSize),
        ...(from !== undefined && { 'x-ms-continuation': from }),
      };
      const answer = await hub.post('/devices/query', { query }, { headers, timeoutMs, maxBytes, signal });
      if (answer.kind === 'failed') return { kind: 'hub-failed', detail: answer.detail };
      if (answer.kind !== 'answered') return answer;
      if (answer.status !== 200) return { kind: 'hub-failed', detail: answer.detail };
      return pageOf(answer.text, answer.header('x-ms-continuation'));
    },
  };
}

function pageOf(text: string, next: string | undefined): TwinAnswer {
  try {
    const twins: unknown = JSON.parse(text);
    if (Array.isArray(twins)) return { kind: 'page', twins, next: next === '' ? undefined : next };
  } catch {
    // Told below.
  }
  return { kind: 'hub-failed', detail: "the hub's answer is no list of twins" };
}
