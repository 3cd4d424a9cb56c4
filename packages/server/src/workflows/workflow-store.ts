import type { Json } from '@lanner/protocol';

/** `workflow`: a graph of calls; `comfy`: a graph for ComfyUI, kept for tools that read it. */
export type WorkflowKind = 'workflow' | 'comfy';

/** A published workflow without its contents. */
export interface WorkflowSummary {
  workflowId: string;
  accountId: string;
  ownerNickname: string;
  kind: WorkflowKind;
  /** Unique among the account's workflows of a kind. */
  name: string;
  title: string;
  /** Every account may read and run it. */
  isPublic: boolean;
  /** Of the contents; counts from 1. */
  version: number;
  createdAtMs: number;
}

export interface Workflow extends WorkflowSummary {
  contents: Json;
}

export interface WorkflowDraft {
  name: string;
  title: string;
  isPublic: boolean;
  contents: Json;
}

/** What is not given stays. */
export type WorkflowPatch = { [Field in keyof WorkflowDraft]?: WorkflowDraft[Field] | undefined };

/** Workflows at rest; every verb is one transaction, durable when it resolves. */
export interface WorkflowStore {
  /** `taken`: the account has one of this kind and name; `full`: it has `most` already. */
  insert(
    workflow: Omit<Workflow, 'ownerNickname' | 'version'>,
    most: number,
  ): Promise<WorkflowSummary | 'taken' | 'full'>;
  /** New contents become a new version. null: no such workflow. */
  update(workflowId: string, patch: WorkflowPatch, nowMs: number): Promise<WorkflowSummary | 'taken' | null>;
  /** False: no such workflow. Its versions stay until `sweepVersions`. */
  remove(workflowId: string, nowMs: number): Promise<boolean>;
  /** All there are, for the directory in memory. */
  listAll(): Promise<WorkflowSummary[]>;
  readContents(workflowId: string, version: number): Promise<Json | null>;
  /** Removes up to `limit` versions that were superseded before. Resolves with how many. */
  sweepVersions(supersededBeforeMs: number, limit: number): Promise<number>;
}
