import { defineAdapter } from '../adapter.ts';
import { moduleInputSourceSchema } from './config.ts';
import { loadOfModuleInput } from './load.ts';
import { createModuleInputSource } from './module-input-source.ts';
import { moduleInputTexts } from './texts.ts';

export const moduleInputAdapter = defineAdapter({
  name: 'module-input',
  page: 'docs/ADAPTERS.md',
  texts: moduleInputTexts,
  schemas: [moduleInputSourceSchema],
  create:
    ({ clock, metrics, inputs }) =>
    (settings, parts) =>
      createModuleInputSource(settings, { clock, metrics, inputs, ...parts }),
  load: loadOfModuleInput,
  // Each message belongs to one stream.
  exclusive: ({ input }) => [{ setting: 'input', name: input, hint: 'let a route lead to another input' }],
  hearsInputs: true,
});
