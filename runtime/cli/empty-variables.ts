/** Deployments leave variables empty that they have no value for: an empty one counts as not set, as the detector has it. */
export function dropEmptyVariables(environment: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(environment))
    if (name.startsWith('HOLDFAST_') && value?.trim() === '') delete environment[name];
}
