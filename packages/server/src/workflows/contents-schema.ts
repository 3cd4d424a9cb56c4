import type { Json } from '@lanner/protocol';
import { z } from 'zod';

const json = z.json() as z.ZodType<Json>;
const id = z.string().min(1).max(200);

const runNode = z.looseObject({
  type: z.literal('run'),
  id,
  depends: z.array(id).max(500),
  /** `owner/alias[/path]`, or another workflow. */
  app: z.string().min(1).max(500),
  input: json,
});

const displayNode = z.looseObject({
  type: z.literal('display'),
  id,
  depends: z.array(id).max(500),
  fields: json,
});

/** The form of the contents; what it cannot say is checked in definition.ts. */
export const contentsSchema = z.looseObject({
  name: z.string().max(200),
  version: z.string().max(20),
  schema: z.looseObject({ input: z.record(z.string(), json), output: z.record(z.string(), json) }),
  nodes: z.record(id, z.discriminatedUnion('type', [runNode, displayNode])),
  output: json,
  metadata: z.record(z.string(), json).nullish(),
});

/** What a workflow does (data-plane 7.2). Members that we do not know are kept. */
export type WorkflowContents = z.infer<typeof contentsSchema>;
export type WorkflowNode = WorkflowContents['nodes'][string];
