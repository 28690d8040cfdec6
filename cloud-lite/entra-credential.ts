// The only importer of @azure/identity; loaded only where no key is configured.
import { DefaultAzureCredential } from '@azure/identity';

/** Managed identity, workload identity, or what the environment names: the SDK's usual chain. */
export function createEntraCredential(): DefaultAzureCredential {
  return new DefaultAzureCredential();
}
