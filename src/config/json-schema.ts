import { z } from 'zod';
import type { Path } from './document.js';
import { forms } from './forms.js';
import { configSchema } from './schema.js';

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** The JSON Schema (draft 7) of a config file as it is written, for editors. `config/slipway.schema.json` is a copy. */
export function jsonSchema(): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema: written }) => allowForms(zodSchema, written),
  });
  return { $schema, title: 'Slipway configuration', ...schema } as JsonSchema;
}

/** Adds the other ways of writing a setting, which `forms.ts` makes plain before the schema sees them. */
function allowForms(schema: z.core.$ZodType, written: JsonSchema): void {
  const form = forms.get(schema as z.ZodType)?.form;
  if (form === undefined) return;
  if (form === 'may_be_empty') {
    written.type = [written.type, 'null'] as unknown as 'object';
    if (!Array.isArray(written.default)) delete written.default;
  } else if (form === 'one_many_or_off' || form === 'one_or_many') {
    const { type, items, minItems, maxItems } = written;
    for (const key of ['type', 'items', 'minItems', 'maxItems', 'default'] as const) delete written[key];
    const list = { type, items, ...(maxItems && { minItems, maxItems }) } as JsonSchema;
    const off = form === 'one_many_or_off' ? [{ enum: [false, null] } as JsonSchema] : [];
    written.anyOf = [items as JsonSchema, list, ...off];
  } else {
    written.anyOf = [...(written.anyOf ?? []), { const: false }];
  }
}

/** The keys that a mapping at `path` may have, in the order of the schema. */
export function knownKeys(path: Path): string[] {
  let at = [jsonSchema()];
  for (const step of path) at = at.flatMap((schema) => below(schema, step));
  return [...new Set(at.flatMap(alternatives).flatMap((schema) => Object.keys(schema.properties ?? {})))];
}

function below(schema: JsonSchema, step: PropertyKey): JsonSchema[] {
  return alternatives(schema).flatMap((alternative) => {
    const next = typeof step === 'number' ? alternative.items : alternative.properties?.[String(step)];
    return isSchema(next) ? [next] : [];
  });
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  return [schema, ...(schema.anyOf ?? []).filter(isSchema)];
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
